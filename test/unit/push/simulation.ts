import { failureOf } from '../../../src/push/delivery/failure.ts'
import type {
  Deliverable, Delivery, DeliveryPort, PauseReason, RetryPolicy, RetryState
} from '../../../src/push/delivery/delivery.ts'
import type { Attempt } from '../../../src/push/endpoint/attempt.ts'

export interface Message extends Deliverable { readonly key: string | undefined }

/** How a request is answered, and after how many ms. */
export interface Answer { readonly status: number, readonly ms: number, readonly more?: Partial<Attempt> }

export interface Request {
  readonly offsets: readonly number[]
  readonly attempt: number
  readonly startedAt: number
  /** Requests that were in flight when it began, itself included. */
  readonly inFlight: number
  /** The first message that was not settled when it began. */
  readonly head: number
  /** Whether the last answer that tells was a failure of the endpoint. */
  readonly isOutage: boolean
  endedAt: number
}

export const POLICY: RetryPolicy = {
  initialDelayMs: 1000,
  maxDelayMs: 60_000,
  factor: 2,
  maxAttempts: 4,
  messageAttempts: 2,
  maxOutageMs: Infinity,
  maxConsecutiveFailures: Infinity,
  onFailure: 'errorStream'
}

/**
 * A port whose clock is advanced when nothing else is to be done: whatever happens in it is the same in every run. It
 * throws when two requests carry the same message at a time, or when something is settled that is not done.
 */
export class Simulation {
  readonly requests: Request[] = []
  readonly settled: Array<[offset: number, how: string]> = []
  readonly errors: RetryState[] = []
  readonly states: RetryState[] = []
  readonly faults: string[] = []
  now = 1_000_000
  readonly #answer: (offsets: readonly number[], attempt: number) => Answer
  readonly #events: Array<{ at: number, run: () => void }> = []
  readonly #done = new Set<number>()
  readonly #sending = new Set<number>()
  #first = 0
  #inFlight = 0
  #isOutage = false

  constructor (answer: (offsets: readonly number[], attempt: number) => Answer) {
    this.#answer = answer
  }

  readonly port: DeliveryPort<Message> = {
    post: async (messages, attempt, signal) => await this.#post(messages.map(({ offset }) => offset), attempt, signal),
    settled: (offset, how) => { this.#settle(offset, how) },
    toErrorStream: async ({ offset }, state) => {
      await this.#wait(this.now + 3)
      this.errors.push(state)
      this.#done.add(offset)
    },
    failing: (state) => { this.states.push(state) },
    sleepUntil: async (at, signal) => {
      signal.throwIfAborted()
      await new Promise<void>((resolve, reject) => {
        signal.addEventListener('abort', () => { reject(signal.reason) })
        this.#events.push({ at, run: resolve })
      })
    },
    now: () => this.now,
    steadyMs: () => this.now
  }

  /** Lets a delivery take the messages in batches of 10 until all are settled. */
  async run (
    delivery: Delivery<Message>, messages: readonly Message[], signal = new AbortController().signal
  ): Promise<PauseReason | undefined> {
    return await this.until((async () => {
      for (let from = 0; from < messages.length; from += 10) {
        const pause = await delivery.deliver(messages.slice(from, from + 10), signal)
        if (pause !== undefined) return pause
      }
      return await delivery.finish(signal)
    })())
  }

  /** Advances the clock until the promise is settled. */
  async until<T> (promise: Promise<T>): Promise<T> {
    let isOver = false
    const watched = promise.finally(() => { isOver = true })
    watched.catch(() => {})
    for (let steps = 0; steps < 1_000_000; steps++) {
      for (let turns = 0; turns < 3; turns++) await new Promise((resolve) => setImmediate(resolve))
      if (isOver) return await watched
      if (!this.step()) throw new Error('nothing is going to happen')
    }
    throw new Error('it does not come to an end')
  }

  /** Advances the clock until something is as it should be. */
  async when (isSo: () => boolean): Promise<void> {
    for (let steps = 0; !isSo(); steps++) {
      for (let turns = 0; turns < 3; turns++) await new Promise((resolve) => setImmediate(resolve))
      if (!isSo() && !this.step() && steps > 10) throw new Error('nothing is going to happen')
    }
  }

  /** Lets the next thing happen. */
  step (): boolean {
    const at = Math.min(...this.#events.map((event) => event.at))
    const [next] = this.#events.splice(this.#events.findIndex((event) => event.at === at), 1)
    if (next === undefined) return false
    this.now = Math.max(this.now, next.at)
    next.run()
    return true
  }

  async #post (offsets: readonly number[], attempt: number, signal: AbortSignal): Promise<Attempt> {
    signal.throwIfAborted()
    this.#inFlight++
    const { status, ms, more } = this.#answer(offsets, attempt)
    const request: Request = {
      offsets,
      attempt,
      startedAt: this.now,
      inFlight: this.#inFlight,
      head: this.#first,
      isOutage: this.#isOutage,
      endedAt: Infinity
    }
    this.requests.push(request)
    for (const offset of offsets) {
      if (this.#sending.has(offset)) this.faults.push(`${offset} is sent twice at a time`)
      if (this.#done.has(offset)) this.faults.push(`${offset} is sent although it is settled`)
      this.#sending.add(offset)
    }
    await this.#wait(this.now + ms)
    this.#inFlight--
    request.endedAt = this.now
    for (const offset of offsets) this.#sending.delete(offset)
    const failure = failureOf(status)
    const nothing = { processed: undefined, isFinal: false, retryAfterMs: undefined, isRefused: false }
    const answer = { ...nothing, failure, status, error: failure && 'failed', ...more }
    const { processed = failure === undefined ? Infinity : -1 } = answer
    for (const offset of offsets) if (offset <= processed) this.#done.add(offset)
    if (failure === undefined) this.#isOutage = false
    if (failure === 'endpoint') this.#isOutage = true
    return answer
  }

  #settle (offset: number, how: string): void {
    const last = this.settled.at(-1)?.[0] ?? -1
    if (offset <= last) this.faults.push(`settled went back from ${last} to ${offset}`)
    for (let done = last + 1; done <= offset; done++) {
      if (how !== 'dropped' && !this.#done.has(done)) this.faults.push(`${done} was settled and is not done`)
    }
    this.settled.push([offset, how])
    this.#first = offset + 1
  }

  async #wait (at: number): Promise<void> {
    await new Promise<void>((resolve) => { this.#events.push({ at, run: resolve }) })
  }
}

/** Messages with these keys. */
export function messagesOf (keys: ReadonlyArray<string | undefined>): Message[] {
  return keys.map((key, offset) => ({ offset, lastOffset: offset, key }))
}
