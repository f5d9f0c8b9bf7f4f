import { pause, within } from '../../streams/index.ts'
import { encodeRecord } from '../log/log-record.ts'
import type { LogStream } from '../log/log-stream.ts'
import type { SlotRecord, StatusRecord } from './status-record.ts'
import { dueMsOf, isSame, type StatusTimes, type WrittenStatus } from './status-timing.ts'

export interface StatusWriterOptions {
  readonly stream: LogStream
  readonly times: StatusTimes
}

/** What this process says of one unit. */
interface Said {
  record: StatusRecord
  /** When it has to be written, by performance.now(). */
  dueMs: number
  written: WrittenStatus | undefined
  /** What the status stream had taken when it was written, bytes. */
  writtenBytes: number
  /** Nothing more is said of the unit. */
  isLast: boolean
}

interface SaidSlot {
  record: SlotRecord
  isWritten: boolean
  writtenMs: number
}

const MAX_UNITS = 50_000
const MAX_BATCH = 500
const SLOT_MS = 1000
// Records that are due shortly after each other are written together.
const GATHER_MS = 20
const FIRST_PAUSE_MS = 500
const MAX_PAUSE_MS = 5000
const FLUSH_PAUSE_MS = 100
// The stream keeps 14 MB at least. What was written before this much of it is written again.
const RENEW_BYTES = 4 * 1024 * 1024
const LOOK_BYTES = 1024 * 1024

/**
 * Writes what this process says of units and slots. Of each only the newest waits, so that memory is bounded while the
 * broker takes nothing, and what is written then is what is true then.
 */
export class StatusWriter {
  readonly #options: StatusWriterOptions
  readonly #units = new Map<string, Said>()
  readonly #slots = new Map<number, SaidSlot>()
  #timer: NodeJS.Timeout | undefined
  #timerMs = Infinity
  #writing: Promise<boolean> | undefined
  #notBeforeMs = 0
  #pauseMs = FIRST_PAUSE_MS
  #streamBytes = 0
  #lookBytes = LOOK_BYTES
  #isClosed = false

  constructor (options: StatusWriterOptions) {
    this.#options = options
  }

  /** What this process says of the unit; undefined: nothing. */
  of (unit: string): StatusRecord | undefined {
    return this.#units.get(unit)?.record
  }

  unit (record: StatusRecord): void {
    const said = this.#units.get(record.unit)
    if (said === undefined && this.#units.size >= MAX_UNITS) return
    const written = said?.written
    const dueMs = dueMsOf(record, written, performance.now(), this.#options.times)
    if (said === undefined) {
      this.#units.set(record.unit, { record, dueMs, written, writtenBytes: 0, isLast: false })
    } else Object.assign(said, { record, dueMs, isLast: false })
    this.#plan(dueMs)
  }

  slot (record: SlotRecord): void {
    const said = this.#slots.get(record.slot)
    const writtenMs = said?.record.owner === record.owner ? said.writtenMs : -Infinity
    this.#slots.set(record.slot, { record, isWritten: false, writtenMs })
    this.#plan(writtenMs + SLOT_MS)
  }

  /** Nothing more is said of the unit. What was said last is still written. */
  forget (unit: string): void {
    const said = this.#units.get(unit)
    if (said === undefined) return
    said.isLast = true
    if (isWritten(said)) this.#units.delete(unit)
  }

  /** Another process speaks for the unit now. */
  drop (unit: string): void {
    this.#units.delete(unit)
  }

  forgetSlot (slot: number): void {
    this.#slots.delete(slot)
  }

  /** The status stream has grown by these bytes, by whatever process: records move towards its end. */
  grown (bytes: number): void {
    this.#streamBytes += bytes
    if (this.#streamBytes < this.#lookBytes) return
    this.#lookBytes = this.#streamBytes + LOOK_BYTES
    for (const said of this.#units.values()) {
      if (said.written === undefined || this.#streamBytes - said.writtenBytes < RENEW_BYTES) continue
      said.dueMs = Math.min(said.dueMs, said.written.atMs + this.#options.times.renewRetryMs)
      this.#plan(said.dueMs)
    }
  }

  /** Writes all that is not written yet. False when that was not possible in time. Never rejects. */
  async flush (timeoutMs: number): Promise<boolean> {
    const late = AbortSignal.timeout(timeoutMs)
    while (!late.aborted) {
      const nowMs = performance.now()
      for (const said of this.#units.values()) if (!isWritten(said)) said.dueMs = nowMs
      for (const said of this.#slots.values()) if (!said.isWritten) said.writtenMs = -Infinity
      if (!this.#hasDue(nowMs)) return true
      const isStored = await within(this.#begin(), { signal: late })
      if (isStored === false) await pause(FLUSH_PAUSE_MS, late)
    }
    return false
  }

  /** Writes nothing more. */
  close (): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
  }

  #plan (atMs: number): void {
    if (this.#isClosed || this.#writing !== undefined) return
    const timerMs = Math.max(atMs, this.#notBeforeMs, performance.now() + GATHER_MS)
    if (timerMs >= this.#timerMs) return
    clearTimeout(this.#timer)
    this.#timerMs = timerMs
    this.#timer = setTimeout(() => {
      this.#timerMs = Infinity
      void this.#begin()
    }, Math.min(timerMs - performance.now(), 2 ** 31 - 1))
  }

  #hasDue (nowMs: number): boolean {
    return [...this.#slots.values()].some((said) => isSlotDue(said, nowMs)) ||
      [...this.#units.values()].some(({ dueMs }) => dueMs <= nowMs)
  }

  // Resolves to whether it is stored.
  #begin (): Promise<boolean> {
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined
      this.#planNext()
    })
    return this.#writing
  }

  async #write (): Promise<boolean> {
    const nowMs = performance.now()
    const slots = [...this.#slots.values()].filter((said) => isSlotDue(said, nowMs))
    const units = [...this.#units.values()].filter(({ dueMs }) => dueMs <= nowMs).slice(0, MAX_BATCH)
      .map((said) => ({ said, record: renewed(said) }))
    const bodies = [...slots, ...units].map(({ record }) => encodeRecord(record))
    const isStored = bodies.length === 0 || (await this.#options.stream.write(bodies)).isStored
    if (isStored) {
      const atMs = performance.now()
      for (const said of slots) Object.assign(said, { isWritten: true, writtenMs: atMs })
      for (const { said, record } of units) this.#written(said, { record, atMs })
      this.#pauseMs = FIRST_PAUSE_MS
    } else {
      this.#notBeforeMs = performance.now() + this.#pauseMs
      this.#pauseMs = Math.min(MAX_PAUSE_MS, this.#pauseMs * 2)
    }
    return isStored
  }

  #written (said: Said, written: WrittenStatus): void {
    Object.assign(said, { written, writtenBytes: this.#streamBytes })
    said.dueMs = dueMsOf(said.record, written, written.atMs, this.#options.times)
    const { unit } = said.record
    if (said.isLast && isWritten(said) && this.#units.get(unit) === said) this.#units.delete(unit)
  }

  #planNext (): void {
    let nextMs = Infinity
    for (const { dueMs } of this.#units.values()) nextMs = Math.min(nextMs, dueMs)
    for (const { isWritten, writtenMs } of this.#slots.values()) {
      if (!isWritten) nextMs = Math.min(nextMs, writtenMs + SLOT_MS)
    }
    if (nextMs < Infinity) this.#plan(nextMs)
  }
}

function isWritten ({ record, written }: Said): boolean {
  return written !== undefined && isSame(record, written.record) && record.takeovers === written.record.takeovers &&
    record.generation === written.record.generation
}

function isSlotDue ({ isWritten, writtenMs }: SaidSlot, nowMs: number): boolean {
  return !isWritten && writtenMs + SLOT_MS <= nowMs
}

// What is said again is true at this time.
function renewed (said: Said): StatusRecord {
  return isWritten(said) ? { ...said.record, at: Date.now() } : said.record
}
