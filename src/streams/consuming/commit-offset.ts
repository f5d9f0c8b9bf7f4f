import type { ReadBatch } from '../reading/read-batch.ts'
import type { Start } from './consumer-start.ts'

/** A batch that answers a consumer. */
export interface ConsumerBatch extends ReadBatch {
  /**
   * What to store when all messages of the batch are processed. It covers records that are no messages too. Null when
   * storing it would not move the consumer. A function, because the batch may end earlier than it was read.
   */
  readonly commitOffset: () => number | null
}

/** The batch of a consumer that has stored nothing of it yet. */
export function uncommitted (batch: ReadBatch, start: Start): ConsumerBatch {
  return Object.assign(batch, { commitOffset: () => commitOffsetOf(batch, start) })
}

/** A batch that is stored as processed before its consumer has it. */
export function stored (batch: ReadBatch): ConsumerBatch {
  return Object.assign(batch, { commitOffset: () => null })
}

/** See `ConsumerBatch`. All offsets from the start to `nextOffset` are in the batch, or are no messages. */
export function commitOffsetOf ({ nextOffset }: ReadBatch, { resumesAt }: Start): number | null {
  return nextOffset > resumesAt ? nextOffset - 1 : null
}
