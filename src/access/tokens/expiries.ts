import { notValid } from '../access-error.ts'
import type { Clock } from './clock.ts'

// A timer of Node.js cannot be longer than 24 days. After each pause the clock is looked at again, in case it was set.
const LONGEST_PAUSE_MS = 3_600_000
const FIRST_SWEEP = 20_000

interface Expiry { readonly atMs: number, readonly signal: WeakRef<AbortSignal> }

/**
 * Signals that abort when tokens expire, with one timer for the next of them. A signal that nothing refers to is
 * forgotten: there may be many more tokens than callers that wait.
 */
export class Expiries {
  readonly #clock: Clock
  // The signal keeps what aborts it.
  readonly #controllers = new WeakMap<AbortSignal, AbortController>()
  // The last one expires first.
  #waiting: Expiry[] = []
  #sweepAt = FIRST_SWEEP
  #timer: { readonly atMs: number, readonly cancel: () => void } | undefined

  constructor (clock: Clock) {
    this.#clock = clock
  }

  /** A new signal that aborts at this time, or when `end` is called. */
  signalAt (atMs: number): AbortSignal {
    const controller = new AbortController()
    const { signal } = controller
    this.#controllers.set(signal, controller)
    if (this.#waiting.length >= this.#sweepAt) this.#sweep()
    this.#waiting.splice(this.#placeOf(atMs), 0, { atMs, signal: new WeakRef(signal) })
    this.#arm()
    return signal
  }

  /** Aborts a signal of this object before its time. */
  end (signal: AbortSignal, reason: string): void {
    this.#controllers.get(signal)?.abort(notValid(reason))
  }

  close (): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#waiting = []
  }

  #sweep (): void {
    this.#waiting = this.#waiting.filter(({ signal }) => signal.deref()?.aborted === false)
    this.#sweepAt = Math.max(FIRST_SWEEP, this.#waiting.length * 2)
  }

  #placeOf (atMs: number): number {
    let low = 0
    let high = this.#waiting.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#waiting[middle]?.atMs ?? 0) > atMs) low = middle + 1
      else high = middle
    }
    return low
  }

  #arm (): void {
    const next = this.#waiting.at(-1)
    if (next === undefined || (this.#timer !== undefined && this.#timer.atMs <= next.atMs)) return
    this.#timer?.cancel()
    const pauseMs = Math.min(LONGEST_PAUSE_MS, Math.max(0, next.atMs - this.#clock.now()))
    const cancel = this.#clock.after(pauseMs, () => { this.#fire() })
    this.#timer = { atMs: next.atMs, cancel }
  }

  #fire (): void {
    this.#timer = undefined
    const nowMs = this.#clock.now()
    for (let next = this.#waiting.at(-1); next !== undefined && next.atMs <= nowMs; next = this.#waiting.at(-1)) {
      this.#waiting.pop()
      const signal = next.signal.deref()
      if (signal !== undefined) this.end(signal, 'the token has expired')
    }
    this.#arm()
  }
}
