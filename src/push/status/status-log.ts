import type { Broker, Logger } from '../../streams/index.ts'
import { LogFollower } from '../log/log-follower.ts'
import { LogStream } from '../log/log-stream.ts'
import { isOlder, StatusFold } from './status-fold.ts'
import type { SlotRecord, StatusRecord } from './status-record.ts'
import { STATUS_TIMES, type StatusTimes } from './status-timing.ts'
import { StatusWriter } from './status-writer.ts'

export interface StatusLogOptions {
  /** With the account of the gateway; names are the broker's. */
  readonly broker: Broker
  /** Of the names of the gateway's own streams. */
  readonly prefix: string
  readonly logger: Logger
  readonly times?: StatusTimes
}

const MB = 1024 * 1024
const ARGUMENTS = { maxSegmentSizeBytes: 2 * MB, maxLengthBytes: 16 * MB }
const FLUSH_MS = 2000

/**
 * What the owners of units and of slots say, kept in a stream: every instance can tell it, and the next owner of a unit
 * continues its retries.
 */
export class StatusLog {
  readonly #fold: StatusFold
  readonly #writer: StatusWriter
  readonly #follower: LogFollower

  constructor ({ broker, prefix, logger, times = STATUS_TIMES }: StatusLogOptions) {
    const stream = new LogStream({ broker, stream: `${prefix}.status`, args: ARGUMENTS })
    this.#writer = new StatusWriter({ stream, times })
    this.#fold = new StatusFold({ stream, logger, taken: (record, bytes) => { this.#taken(record, bytes) } })
    this.#follower = new LogFollower({ stream, fold: this.#fold, logger })
  }

  /** Begins to follow the stream. Faults of the broker only delay it. */
  start (): void {
    this.#follower.start()
  }

  /** The last word on a unit (see `unitId`): what this process says itself, or what it has read. */
  of (unit: string): StatusRecord | undefined {
    const [said, read] = [this.#writer.of(unit), this.#fold.of(unit)]
    return said !== undefined && (read === undefined || !isOlder(said, read)) ? said : read
  }

  /** The last word of the owner of each slot. */
  get slots (): ReadonlyMap<number, SlotRecord> {
    return this.#fold.slots
  }

  /**
   * Says what a unit of this process does. It is written when that matters to others: a failure that another owner must
   * know at once, progress now and then, and again before retention removes it, until `forget`. Cheap; never throws.
   */
  publish (record: StatusRecord): void {
    this.#writer.unit(record)
  }

  /** Says that this process has the slot. Call it every few seconds. Never throws. */
  publishSlot (record: SlotRecord): void {
    this.#writer.slot(record)
  }

  /** This process says nothing more about the unit. What it said last is still written. */
  forget (unit: string): void {
    const said = this.#writer.of(unit)
    if (said !== undefined) this.#fold.unit(said)
    this.#writer.forget(unit)
  }

  /** This process has lost the slot. */
  forgetSlot (slot: number): void {
    this.#writer.forgetSlot(slot)
  }

  /** Settles when everything is known that was in the stream at the call. @throws StreamsError */
  async caughtUp (signal: AbortSignal): Promise<void> {
    await this.#follower.caughtUp(signal)
  }

  /** Writes what is not written yet, so that another owner can continue. False when it took too long. Never rejects. */
  async flush (timeoutMs = FLUSH_MS): Promise<boolean> {
    return await this.#writer.flush(timeoutMs)
  }

  /** Ends it. What is not written then is lost: call `flush` before. Never rejects. */
  async close (): Promise<void> {
    this.#writer.close()
    await this.#follower.close()
  }

  #taken (record: StatusRecord | SlotRecord, bytes: number): void {
    this.#writer.grown(bytes)
    if ('slot' in record) return
    const said = this.#writer.of(record.unit)
    if (said !== undefined && said.owner !== record.owner && record.takeovers > said.takeovers) {
      this.#writer.drop(record.unit)
    }
  }
}
