import type { Logger } from '../../streams/index.ts'
import type { LogFold } from '../log/log-follower.ts'
import type { LogRecord } from '../log/log-record.ts'
import type { LogStream } from '../log/log-stream.ts'
import { isSlotRecord, isStatusRecord } from './status-check.ts'
import type { SlotRecord, StatusRecord } from './status-record.ts'

export interface StatusFoldOptions {
  readonly stream: LogStream
  readonly logger: Logger
  /** Each record of the stream, once it is taken. */
  readonly taken: (record: StatusRecord | SlotRecord, bytes: number) => void
}

const MAX_UNITS = 50_000
const MAX_SLOTS = 1024
// An owner renews its records more often. One that is older by this much belongs to the past, whatever it says.
const VOID_AFTER_MS = 15 * 60_000

/** The last word on each unit and each slot. */
export class StatusFold implements LogFold {
  readonly #options: StatusFoldOptions
  readonly #units = new Map<string, StatusRecord>()
  readonly #slots = new Map<number, SlotRecord>()
  #badRecords = 0

  constructor (options: StatusFoldOptions) {
    this.#options = options
  }

  of (unit: string): StatusRecord | undefined {
    return this.#units.get(unit)
  }

  get slots (): ReadonlyMap<number, SlotRecord> {
    return this.#slots
  }

  async load (signal: AbortSignal): Promise<number> {
    const { stream } = this.#options
    await stream.create()
    for (let offset = await stream.firstOffset(); ;) {
      const page = await stream.read(offset, 0, signal)
      this.take(page.records) // what retention removes meanwhile was said again, or is void
      offset = page.nextOffset
      if (page.isEnd) return offset
    }
  }

  take (records: readonly LogRecord[]): void {
    for (const record of records) {
      const { head, bytes } = record
      if (isStatusRecord(head)) this.unit(head)
      else if (isSlotRecord(head)) this.slot(head)
      else {
        this.#bad(record)
        continue
      }
      this.#options.taken(head, bytes)
    }
  }

  /** The last one counts, unless it comes from an owner that another one has replaced. */
  unit (record: StatusRecord): void {
    const before = this.#units.get(record.unit)
    if (before !== undefined && isOlder(record, before)) return
    this.#units.delete(record.unit) // so that the first one is the one that was heard of least recently
    this.#units.set(record.unit, record)
    const [oldest] = this.#units.size > MAX_UNITS ? this.#units.keys() : []
    if (oldest !== undefined) this.#units.delete(oldest)
  }

  slot (record: SlotRecord): void {
    if (record.slot < MAX_SLOTS) this.#slots.set(record.slot, record)
  }

  #bad ({ offset }: LogRecord): void {
    const { logger, stream } = this.#options
    const fields = { stream: stream.name, offset }
    if (this.#badRecords++ > 0) logger.debug(fields, 'a record of the status of subscriptions is not understood')
    else logger.warn(fields, 'a record of the status of subscriptions is not understood; such records are left out')
  }
}

/** Whether a record comes from an owner before that of the other one. */
export function isOlder (record: StatusRecord, than: StatusRecord): boolean {
  if (record.takeovers >= than.takeovers && record.generation >= than.generation) return false
  return record.at - than.at < VOID_AFTER_MS
}
