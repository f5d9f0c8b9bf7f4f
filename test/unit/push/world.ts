import { failureOf } from '../../../src/push/delivery/failure.ts'
import {
  OrderedDelivery, type Deliverable, type RetryPolicy, type RetryState
} from '../../../src/push/delivery/ordered-delivery.ts'
import type { Attempt } from '../../../src/push/endpoint/attempt.ts'

/** How a `World` retries unless it is told otherwise. */
export const POLICY: RetryPolicy = {
  initialDelayMs: 1000,
  maxDelayMs: 60_000,
  factor: 2,
  maxAttempts: 5,
  messageAttempts: 3,
  maxOutageMs: 100_000,
  maxConsecutiveFailures: 4,
  onFailure: 'errorStream'
}
export const STATUS_OK = 204

/** An endpoint whose answer depends on what it is sent, and on how often it was called. */
type Endpoint = (offsets: readonly number[], call: number) => number | Partial<Attempt>

/** An endpoint, an error stream and a clock that a test moves. */
export class World {
  readonly requests: number[][] = []
  readonly attempts: number[] = []
  readonly settled: Array<[number, string]> = []
  readonly errors: RetryState[] = []
  nowMs = 1_000_000
  #jumpedMs = 0
  readonly #endpoint: Endpoint
  readonly #policy: RetryPolicy

  constructor (endpoint: Endpoint, policy: Partial<RetryPolicy> = {}) {
    this.#endpoint = endpoint
    this.#policy = { ...POLICY, ...policy }
  }

  delivery (retry?: RetryState, isWritable = () => true): OrderedDelivery<Deliverable> {
    return new OrderedDelivery<Deliverable>({
      post: async (messages, attempt) => {
        const offsets = messages.map(({ offset }) => offset)
        this.requests.push(offsets)
        this.attempts.push(attempt)
        return attemptOf(this.#endpoint(offsets, this.requests.length))
      },
      settled: (offset, how) => { this.settled.push([offset, how]) },
      toErrorStream: async (_message, state) => {
        if (!isWritable()) throw new Error('not writable')
        this.errors.push(state)
      },
      failing: () => {},
      sleepUntil: async (at, signal) => {
        signal.throwIfAborted()
        this.nowMs = Math.max(this.nowMs, at)
      },
      now: () => this.nowMs,
      steadyMs: () => this.nowMs - this.#jumpedMs
    }, this.#policy, retry)
  }

  /** Somebody sets the clock. */
  jump (ms: number): void {
    this.nowMs += ms
    this.#jumpedMs += ms
  }
}

function attemptOf (answer: number | Partial<Attempt>): Attempt {
  const status = typeof answer === 'number' ? answer : answer.status
  return {
    failure: status === undefined ? undefined : failureOf(status),
    status,
    processed: undefined,
    isFinal: false,
    retryAfterMs: undefined,
    error: undefined,
    isRefused: false,
    ...(typeof answer === 'object' && answer)
  }
}

export const offsets = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => ({ offset: from + index, lastOffset: from + index }))
