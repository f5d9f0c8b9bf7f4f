import { setTimeout as delay } from 'node:timers/promises'
import { pause, shuttingDown, StreamsError, within, type Logger } from '../../streams/index.ts'
import { withAnySignal } from '../any-signal.ts'
import type { LogRecord } from './log-record.ts'
import type { LogPage, LogStream } from './log-stream.ts'

/** What is made of the records of a log. */
export interface LogFold {
  /** Makes it anew from what is in the log. @returns where it continues @throws StreamsError; the signal's reason */
  load (signal: AbortSignal): Promise<number>
  /** Takes records, each once and in their order. @param nextOffset everything before it is taken */
  take (records: readonly LogRecord[], nextOffset: number): void
}

export interface LogFollowerOptions {
  readonly stream: LogStream
  readonly fold: LogFold
  readonly logger: Logger
}

// How long a read waits for a record.
const HELD_MS = 30_000
// A broker that is shutting down does not hold reads.
const LEAST_READ_MS = 100
const FIRST_PAUSE_MS = 100
const MAX_PAUSE_MS = 5000
const LOOK_TIMEOUT_MS = 30_000
// How long a look tries again after faults: a stream that was just created, a leader that has just changed.
const RECOVERY_MS = 2000
// After these the log has to be loaded anew.
const LOST_PLACE = new Set<string>(['stream_not_found', 'offset_out_of_range'])

/** Follows a log from its beginning until it is closed. Faults of the broker only delay it. */
export class LogFollower {
  readonly #options: LogFollowerOptions
  readonly #closing = new AbortController()
  // Where it is in the log; undefined: the log has to be loaded. The object changes with each load.
  #place: { offset: number } | undefined
  #loading: Promise<{ offset: number }> | undefined
  #looking: Promise<void> | undefined
  #nextLook: Promise<void> | undefined
  #following: Promise<void> | undefined
  #isFailing = false

  constructor (options: LogFollowerOptions) {
    this.#options = options
  }

  /** Begins to follow. */
  start (): void {
    this.#following ??= this.#follow()
  }

  /**
   * Settles when all records are taken that were in the log at the call.
   *
   * @throws StreamsError; `broker_timeout` when the signal aborts before
   */
  async caughtUp (signal: AbortSignal): Promise<void> {
    await inTime(this.#look(), signal)
  }

  /** Ends it. Calling it twice is fine. */
  async close (): Promise<void> {
    this.#closing.abort()
    await Promise.allSettled([this.#following, this.#loading, this.#looking, this.#nextLook])
  }

  // A look that has begun before the call may miss what was written shortly before the call: then all who come
  // meanwhile share the next one.
  #look (): Promise<void> {
    if (this.#looking === undefined) {
      this.#looking = this.#toEnd().finally(() => { this.#looking = undefined })
      this.#looking.catch(() => {}) // the caller may have left
      return this.#looking
    }
    this.#nextLook ??= this.#looking.catch(() => {}).then(async () => {
      this.#nextLook = undefined
      await this.#look()
    })
    this.#nextLook.catch(() => {})
    return this.#nextLook
  }

  async #toEnd (): Promise<void> {
    const signals = [this.#closing.signal, AbortSignal.timeout(LOOK_TIMEOUT_MS)]
    await withAnySignal(signals, async (signal) => { await this.#readToEnd(signal) })
  }

  async #readToEnd (signal: AbortSignal): Promise<void> {
    const recoveryMs = performance.now() + RECOVERY_MS
    for (;;) {
      try {
        const { isEnd, isNew } = await this.#readOn(0, signal)
        if (isEnd) return
        if (!isNew) await delay(1, undefined, { signal })
      } catch (error) {
        if (this.#closing.signal.aborted) throw shuttingDown()
        if (signal.aborted) throw tooLate(error)
        if (performance.now() > recoveryMs || !mayPass(error)) throw error
        await pause(FIRST_PAUSE_MS, signal)
      }
    }
  }

  async #follow (): Promise<void> {
    const { signal } = this.#closing
    let pauseMs = FIRST_PAUSE_MS
    while (!signal.aborted) {
      const startedMs = performance.now()
      try {
        const { isNew } = await this.#readOn(HELD_MS, signal)
        this.#recovered()
        pauseMs = FIRST_PAUSE_MS
        if (!isNew && performance.now() - startedMs < LEAST_READ_MS) await pause(LEAST_READ_MS, signal)
      } catch (error) {
        if (signal.aborted) return
        this.#failed(error)
        await pause(pauseMs, signal)
        pauseMs = Math.min(MAX_PAUSE_MS, pauseMs * 2)
      }
    }
  }

  async #readOn (waitMs: number, signal: AbortSignal): Promise<{ isEnd: boolean, isNew: boolean }> {
    const place = this.#place ?? await inTime(this.#load(), signal)
    try {
      return this.#take(place, await this.#options.stream.read(place.offset, waitMs, signal))
    } catch (error) {
      if (isLostPlace(error) && this.#place === place) this.#place = undefined
      throw error
    }
  }

  // Another read may have taken some of the records meanwhile.
  #take (place: { offset: number }, { records, nextOffset, isEnd, hasGap }: LogPage) {
    if (this.#place !== place) return { isEnd: false, isNew: true }
    if (hasGap && (records[0]?.offset ?? nextOffset) > place.offset) {
      this.#place = undefined
      return { isEnd: false, isNew: true }
    }
    const isNew = nextOffset > place.offset
    if (isNew) {
      const from = place.offset
      place.offset = nextOffset
      this.#options.fold.take(records.filter(({ offset }) => offset >= from), nextOffset)
    }
    return { isEnd, isNew }
  }

  async #load (): Promise<{ offset: number }> {
    this.#loading ??= this.#loaded().finally(() => { this.#loading = undefined })
    return await this.#loading
  }

  async #loaded (): Promise<{ offset: number }> {
    const { signal } = this.#closing
    signal.throwIfAborted()
    const offset = await this.#options.fold.load(signal)
    this.#place = { offset }
    return this.#place
  }

  #failed (error: unknown): void {
    const { logger, stream } = this.#options
    const fields = { err: error, stream: stream.name }
    if (this.#isFailing) logger.debug(fields, 'a log of subscriptions still cannot be read')
    else logger.warn(fields, 'a log of subscriptions cannot be read; trying again')
    this.#isFailing = true
  }

  #recovered (): void {
    if (!this.#isFailing) return
    this.#isFailing = false
    this.#options.logger.info({ stream: this.#options.stream.name }, 'a log of subscriptions can be read again')
  }
}

function isLostPlace (error: unknown): boolean {
  return error instanceof StreamsError && LOST_PLACE.has(error.code)
}

function mayPass (error: unknown): boolean {
  return isLostPlace(error) || (error instanceof StreamsError && error.retryable)
}

/** What the promise resolves to. It runs on when the signal aborts. @throws StreamsError `broker_timeout` then */
async function inTime<T> (promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const settled = await within(promise.then((value) => ({ value })), { signal })
  if (settled === undefined) throw tooLate(signal.reason)
  return settled.value
}

function tooLate (cause: unknown): StreamsError {
  return new StreamsError('broker_timeout', 'what is known of subscriptions could not be read in time', { cause })
}
