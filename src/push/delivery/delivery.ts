import type { Attempt } from '../endpoint/attempt.ts'
import type { FailureClass } from './failure.ts'
import { MAX_RETRY_AFTER_MS, type RetryDelays } from './retry.ts'

/** A message that is delivered. */
export interface Deliverable {
  readonly offset: number
  /** The same, but of records that cannot be told apart, which count as one message: the last of their offsets. */
  readonly lastOffset: number
}

/** How a subscription retries. */
export interface RetryPolicy extends RetryDelays {
  /** Tries for a message that may be to blame. */
  readonly maxAttempts: number
  /** Tries for a message that the endpoint refuses. */
  readonly messageAttempts: number
  /** How long an endpoint may be away. */
  readonly maxOutageMs: number
  /** Messages in a row that fail for good, without one success, before the subscription pauses. */
  readonly maxConsecutiveFailures: number
  /** What becomes of a message that has failed for good. */
  readonly onFailure: 'errorStream' | 'pause' | 'drop'
}

/** A failure that lasts: what another instance needs to continue in the same place. */
export interface RetryState {
  /** The message that is tried. */
  readonly offset: number
  /** Tries until now. */
  readonly attempts: number
  /** Tries that count against the message: those that did not fail for the endpoint. */
  readonly counted: number
  readonly failure: FailureClass
  readonly status: number | undefined
  readonly error: string
  /** By the clock, ms since 1970. */
  readonly firstFailedAt: number
  readonly failedAt: number
  readonly nextAttemptAt: number
}

export type PauseReason = 'gone' | 'outage' | 'too_many_failures' | 'message_failed'

/** What a delivery works with. */
export interface DeliveryPort<M extends Deliverable> {
  /**
   * Sends messages in one request.
   *
   * @param attempt how often the first of them is sent with this, from 1
   * @throws when nothing more may be sent
   */
  readonly post: (messages: readonly M[], attempt: number, signal: AbortSignal) => Promise<Attempt>
  /** Everything up to and including the offset is settled. */
  readonly settled: (offset: number, how: 'delivered' | 'error' | 'dropped') => void
  /** Writes a message that has failed for good into the error stream. Settles when it is confirmed. */
  readonly toErrorStream: (message: M, state: RetryState, signal: AbortSignal) => Promise<void>
  /** A try has failed, and another one follows. */
  readonly failing: (state: RetryState) => void
  /** Waits until a time by the clock. @throws the signal's reason */
  readonly sleepUntil: (at: number, signal: AbortSignal) => Promise<void>
  readonly now: () => number
  /** Milliseconds by a clock that is never set. */
  readonly steadyMs: () => number
  /**
   * Asked before every request: waits until the message may be sent, and says how many messages may go with it in one
   * request, itself included. Not given: always, as many as there are. @throws the signal's reason
   */
  readonly admit?: (head: M, signal: AbortSignal) => Promise<number>
}

/**
 * Delivers the messages of a unit, in whatever order it has. Messages come in batches that follow each other. What a
 * message holds must stay until the port was told that its offset is settled.
 */
export interface Delivery<M extends Deliverable> {
  /**
   * Takes messages, and settles when it wants the next ones: in the order of the stream when all are settled, otherwise
   * when there is room for more. Returns why the subscription has to pause; then nothing more is taken.
   *
   * @param signal gives up everything that was taken until now. Pass the same one each time
   * @throws the signal's reason, what the port throws
   */
  deliver (messages: readonly M[], signal: AbortSignal): Promise<PauseReason | undefined>
  /** Settles when all that was taken is settled. @throws as `deliver` */
  finish (signal: AbortSignal): Promise<PauseReason | undefined>
}

/** Whether a policy leaves no further try: the subscription was paused for it, and begins anew when it is resumed. */
export function isExhausted (state: RetryState, policy: RetryPolicy): boolean {
  if (state.failure === 'endpoint') return state.failedAt - state.firstFailedAt >= policy.maxOutageMs
  return state.counted >= (state.failure === 'message' ? policy.messageAttempts : policy.maxAttempts)
}

/** Whether the next try may be made. A time further ahead than any pause is that of a clock that has jumped. */
export function isDue (
  { nextAttemptAt }: Pick<RetryState, 'nextAttemptAt'>, { maxDelayMs }: Pick<RetryDelays, 'maxDelayMs'>, now: number
): boolean {
  return nextAttemptAt <= now || nextAttemptAt - now > Math.max(maxDelayMs, MAX_RETRY_AFTER_MS)
}

/** How many messages in a row have failed for good. */
export class FailureStreak {
  #count = 0

  get count (): number {
    return this.#count
  }

  add (): void {
    this.#count++
  }

  end (): void {
    this.#count = 0
  }
}
