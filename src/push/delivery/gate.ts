import type { Attempt } from '../endpoint/attempt.ts'
import { isDue, type RetryState } from './delivery.ts'
import { delayAfter, type RetryDelays } from './retry.ts'

interface Waiter {
  readonly offset: number
  readonly reserves: boolean
  readonly go: () => void
  readonly end: (error: unknown) => void
}

export interface GateOptions {
  /** How many requests are in flight at most. */
  readonly concurrency: number
  readonly delays: RetryDelays
  readonly now: () => number
  /** The offset of the first message that is not settled. */
  readonly head: () => number | undefined
}

/**
 * Admits requests. When the endpoint turns out to be away, only the first message that is not settled is sent, one
 * request at a time, until one succeeds.
 */
export class Gate {
  readonly #options: GateOptions
  readonly #waiting = new Set<Waiter>()
  #inFlight = 0
  #isOpen = true
  // Of the requests of this outage, without those that were in flight when it began.
  #probes = 0
  #notBefore = 0
  #end: { readonly error: unknown } | undefined

  /** @param retry of the first message, if it was tried before */
  constructor (options: GateOptions, retry: RetryState | undefined) {
    this.#options = options
    if (retry?.failure !== 'endpoint') return
    this.#isOpen = false
    this.#probes = retry.attempts
    this.#notBefore = retry.nextAttemptAt
  }

  /**
   * Waits until a request that begins with this message may be sent, and counts it until `answered` or `left`.
   *
   * @param sleepUntil waits until a time by the clock
   * @returns how many messages it may carry
   * @throws what `close` was called with
   */
  async admit (offset: number, sleepUntil: (at: number) => Promise<void>): Promise<number> {
    for (;;) {
      await this.#turn(offset, true)
      if (this.#isOpen) return Infinity
      const { delays, now } = this.#options
      if (isDue({ nextAttemptAt: this.#notBefore }, delays, now())) return 1
      this.left()
      await sleepUntil(this.#notBefore)
    }
  }

  /** Waits until `admit` would admit the message, but for the time. @throws what `close` was called with */
  async free (offset: number): Promise<void> {
    await this.#turn(offset, false)
  }

  /** A request has its answer. */
  answered ({ failure, isRefused, retryAfterMs }: Attempt): void {
    if (failure === undefined) {
      this.#isOpen = true
      this.#probes = 0
    } else if (failure === 'endpoint') {
      const { delays, now } = this.#options
      if (this.#isOpen) this.#probes = 1
      else if (this.#inFlight === 1) this.#probes++
      this.#isOpen = false
      const delayMs = isRefused ? delays.maxDelayMs : delayAfter(this.#probes, delays, retryAfterMs)
      this.#notBefore = Math.max(this.#notBefore, now() + delayMs)
    }
    this.left()
  }

  /** A request that was admitted is over without an answer, or was not sent. */
  left (): void {
    this.#inFlight--
    this.look()
  }

  /** The first message may be another one. */
  look (): void {
    for (const waiter of this.#waiting) {
      if (this.#isOpen && this.#inFlight >= this.#options.concurrency) return
      if (!this.#mayGo(waiter.offset)) continue
      this.#waiting.delete(waiter)
      if (waiter.reserves) this.#inFlight++
      waiter.go()
    }
  }

  /** Admits nothing more. */
  close (error: unknown): void {
    this.#end ??= { error }
    for (const waiter of this.#waiting) waiter.end(error)
    this.#waiting.clear()
  }

  #turn (offset: number, reserves: boolean): Promise<void> | undefined {
    if (this.#end !== undefined) throw this.#end.error
    if (this.#mayGo(offset)) {
      if (reserves) this.#inFlight++
      return undefined
    }
    return new Promise((resolve, reject) => {
      this.#waiting.add({ offset, reserves, go: resolve, end: reject })
    })
  }

  #mayGo (offset: number): boolean {
    const { concurrency, head } = this.#options
    return this.#isOpen ? this.#inFlight < concurrency : this.#inFlight === 0 && offset === head()
  }
}
