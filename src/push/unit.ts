import { createHash } from 'node:crypto'
import type { SubscriptionKey } from './definitions/definitions.ts'

/**
 * What is delivered in one order, by one instance at a time: a subscription of a stream, one partition of a
 * subscription of a super stream, or a redrive.
 */
export interface Unit {
  readonly key: SubscriptionKey
  /** The API's name of the partition; empty for a subscription of a stream. */
  readonly partition: string
  /** Of a redrive; empty otherwise. */
  readonly redrive: string
}

/** The same for the same unit in every instance. Used as a key of maps and of records. */
export function unitId ({ key: { source, stream, subscription }, partition, redrive }: Unit): string {
  return JSON.stringify([source, stream, subscription, partition, redrive])
}

/** The API's name of the stream that a unit reads. Not for redrives, which read the error stream. */
export function sourceOf ({ key, partition }: Unit): string {
  return partition === '' ? key.stream : partition
}

/** The slot of a unit: its owner delivers the unit. */
export function slotOf (unit: Unit, slots: number): number {
  return createHash('sha256').update(unitId(unit)).digest().readUInt32BE(0) % slots
}
