import type { Attempt } from '../endpoint/attempt.ts'
import {
  FailureStreak, type Deliverable, type Delivery, type DeliveryPort, type PauseReason, type RetryPolicy, type RetryState
} from './delivery.ts'
import type { FailureClass } from './failure.ts'
import { delayAfter } from './retry.ts'

export type { Deliverable, DeliveryPort, PauseReason, RetryPolicy, RetryState } from './delivery.ts'

/**
 * Delivers messages in their order: a request is sent when the one before it is settled. A batch that fails, and may
 * have failed for one of its messages, is tried again in halves. While the endpoint is away only the first message is
 * tried.
 */
export class OrderedDelivery<M extends Deliverable> implements Delivery<M> {
  readonly #port: DeliveryPort<M>
  readonly #policy: RetryPolicy
  readonly #streak: FailureStreak
  #retry: RetryState | undefined

  /**
   * @param retry the state of the message that is delivered next, if it was tried before
   * @param streak shared with others whose failures count together
   */
  constructor (port: DeliveryPort<M>, policy: RetryPolicy, retry?: RetryState, streak = new FailureStreak()) {
    this.#port = port
    this.#policy = policy
    this.#retry = retry
    this.#streak = streak
  }

  /**
   * Delivers the messages, which ascend. Returns why the subscription has to pause before the end of them; undefined
   * when all are settled.
   *
   * @throws the signal's reason, what `toErrorStream` throws
   */
  async deliver (messages: readonly M[], signal: AbortSignal): Promise<PauseReason | undefined> {
    // The ranges that are still to be delivered, the next one last.
    const ranges = [messages]
    for (let range = ranges.pop(); range !== undefined; range = ranges.pop()) {
      const [head] = range
      if (head === undefined) continue
      const retry = this.#retryOf(head)
      if (retry !== undefined) await this.#port.sleepUntil(retry.nextAttemptAt, signal)
      const admitted = await this.#port.admit?.(head, signal) ?? Infinity
      const sentCount = retry?.failure === 'endpoint' ? 1 : Math.min(range.length, admitted)
      const attempt = await this.#port.post(range.slice(0, sentCount), (retry?.attempts ?? 0) + 1, signal)
      signal.throwIfAborted()
      const doneCount = this.#settle(range, sentCount, attempt)
      const rest = range.slice(doneCount)
      const [failed] = rest
      if (attempt.failure === undefined || failed === undefined) {
        ranges.push(rest)
      } else if (mayBeTheMessage(attempt.failure) && sentCount - doneCount > 1) {
        const half = Math.ceil((sentCount - doneCount) / 2)
        ranges.push(rest.slice(half), rest.slice(0, half))
      } else {
        const pause = await this.#fail(failed, attempt, attempt.failure, signal)
        if (pause !== undefined) return pause
        ranges.push(this.#retry === undefined ? rest.slice(1) : rest)
      }
    }
    return undefined
  }

  /** Everything that was taken is settled. */
  async finish (): Promise<undefined> {}

  // How many messages at the beginning of the range are delivered by now.
  #settle (range: readonly M[], sentCount: number, { failure, processed = -1 }: Attempt): number {
    const sent = range.slice(0, sentCount)
    const count = failure === undefined && processed < 0
      ? sentCount
      : sent.filter(({ offset }) => offset <= processed).length
    const last = sent[count - 1]
    if (last === undefined) return 0
    this.#retry = undefined
    this.#streak.end()
    this.#port.settled(last.offset, 'delivered')
    return count
  }

  // A try of this message alone has failed, or the endpoint is away.
  async #fail (
    message: M, attempt: Attempt, failure: FailureClass, signal: AbortSignal
  ): Promise<PauseReason | undefined> {
    const state = this.#stateAfter(message, attempt, failure)
    if (failure === 'gone') return 'gone'
    if (failure === 'endpoint') {
      const isOver = state.failedAt - state.firstFailedAt >= this.#policy.maxOutageMs
      this.#retry = state
      if (isOver) return 'outage'
      this.#port.failing(state)
      return undefined
    }
    if (state.counted < this.#triesFor(failure, attempt.isFinal)) {
      this.#retry = state
      this.#port.failing(state)
      return undefined
    }
    return await this.#giveUp(message, state, signal)
  }

  async #giveUp (message: M, state: RetryState, signal: AbortSignal): Promise<PauseReason | undefined> {
    const { onFailure, maxConsecutiveFailures } = this.#policy
    this.#retry = state
    if (onFailure === 'pause') return 'message_failed'
    this.#streak.add()
    if (this.#streak.count > maxConsecutiveFailures) return 'too_many_failures'
    if (onFailure === 'errorStream') await this.#port.toErrorStream(message, state, signal)
    this.#retry = undefined
    this.#port.settled(message.offset, onFailure === 'drop' ? 'dropped' : 'error')
    return undefined
  }

  #triesFor (failure: FailureClass, isFinal: boolean): number {
    const { maxAttempts, messageAttempts } = this.#policy
    return isFinal ? 1 : failure === 'message' ? messageAttempts : maxAttempts
  }

  #stateAfter ({ offset }: M, attempt: Attempt, failure: FailureClass): RetryState {
    const before = this.#retry?.offset === offset ? this.#retry : undefined
    const attempts = (before?.attempts ?? 0) + 1
    const now = this.#port.now()
    // An outage begins with the first failure of the endpoint after something else.
    const isSameTrouble = before !== undefined && (before.failure === 'endpoint') === (failure === 'endpoint')
    const delayMs = attempt.isRefused
      ? this.#policy.maxDelayMs
      : delayAfter(attempts, this.#policy, attempt.retryAfterMs)
    return {
      offset,
      attempts,
      counted: (before?.counted ?? 0) + (mayBeTheMessage(failure) ? 1 : 0),
      failure,
      status: attempt.status,
      error: attempt.error ?? '',
      firstFailedAt: isSameTrouble ? before.firstFailedAt : now,
      failedAt: now,
      nextAttemptAt: now + delayMs
    }
  }

  #retryOf ({ offset }: M): RetryState | undefined {
    return this.#retry?.offset === offset ? this.#retry : undefined
  }
}

function mayBeTheMessage (failure: FailureClass): boolean {
  return failure === 'message' || failure === 'ambiguous'
}
