import type { Attempt } from '../endpoint/attempt.ts'
import {
  FailureStreak, isDue, type Deliverable, type Delivery, type DeliveryPort, type PauseReason, type RetryPolicy,
  type RetryState
} from './delivery.ts'
import type { FailureClass } from './failure.ts'
import { delayAfter } from './retry.ts'

export type { Deliverable, DeliveryPort, PauseReason, RetryPolicy, RetryState } from './delivery.ts'

// When this process saw the failures, by the clock that is never set.
const FAILED_MS = new WeakMap<RetryState, number>()

/**
 * Delivers messages in their order: a request is sent when the one before it is settled. A batch that fails, and may
 * have failed for one of its messages, is tried again in halves. A message that has failed is tried again alone, and so
 * is the first one while the endpoint is away.
 */
export class OrderedDelivery<M extends Deliverable> implements Delivery<M> {
  readonly #port: DeliveryPort<M>
  readonly #policy: RetryPolicy
  readonly #streak: FailureStreak
  #retry: RetryState | undefined
  // Of a message that has failed for good, or is skipped, and is not yet where such messages go.
  #verdict: RetryState | undefined
  #skipOffset: number | undefined

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

  /** Of the message that is tried again. */
  get retry (): RetryState | undefined {
    return this.#retry
  }

  /** Messages in a row that have failed for good. */
  get failuresInARow (): number {
    return this.#streak.count
  }

  /** The message at this offset is not sent again: it goes where failed messages go, if it is the next one. */
  skip (offset: number): void {
    this.#skipOffset = offset
  }

  /**
   * Delivers the messages, which ascend, and waits between tries.
   *
   * @throws as `try`
   */
  async deliver (messages: readonly M[], signal: AbortSignal): Promise<PauseReason | undefined> {
    for (let rest = messages; ;) {
      const end = await this.try(rest, signal)
      if (end !== 'later') return end
      const { offset = 0, nextAttemptAt = 0 } = this.#retry ?? {}
      await this.#port.sleepUntil(nextAttemptAt, signal)
      rest = rest.filter((message) => message.offset >= offset)
    }
  }

  /** Everything that was taken is settled. */
  async finish (): Promise<undefined> {}

  /**
   * Delivers the messages, which ascend, as long as there is no need to wait. Returns undefined when all are settled;
   * `later` when the first that is not settled is not due yet: see `retry`; else why the subscription has to pause.
   *
   * @throws the signal's reason; what `post` and `toErrorStream` throw. Then the first message that is not settled is
   *   to be delivered again, and nothing that was known of it is forgotten
   */
  async try (messages: readonly M[], signal: AbortSignal): Promise<PauseReason | 'later' | undefined> {
    // The ranges that are still to be delivered, the next one last.
    const ranges = [messages]
    for (let range = ranges.pop(); range !== undefined; range = ranges.pop()) {
      const [head] = range
      if (head === undefined) continue
      const verdict = this.#verdictOn(head)
      if (verdict !== undefined) {
        const pause = await this.#giveUp(head, verdict, signal)
        if (pause !== undefined) return pause
        ranges.push(range.slice(1))
        continue
      }
      const retry = this.#retryOf(head)
      if (retry !== undefined && !isDue(retry, this.#policy, this.#port.now())) return 'later'
      const admitted = this.#port.admit === undefined ? range.length : await this.#port.admit(head, signal)
      const sent = range.slice(0, retry === undefined ? admitted : 1)
      const attempt = await this.#port.post(sent, (retry?.attempts ?? 0) + 1, signal)
      // What was answered before it was given up counts.
      if (attempt.failure !== undefined) signal.throwIfAborted()
      const doneCount = this.#settle(sent, attempt)
      const rest = doneCount === 0 ? range : range.slice(doneCount)
      const [failed] = rest
      const failure = attempt.failure ?? (doneCount === 0 ? 'ambiguous' : undefined)
      if (failed === undefined) continue
      if (failure === undefined) {
        ranges.push(rest)
      } else if (mayBeTheMessage(failure) && sent.length - doneCount > 1) {
        const half = Math.ceil((sent.length - doneCount) / 2)
        ranges.push(rest.slice(half), rest.slice(0, half))
      } else {
        const pause = this.#fail(failed, attempt, failure)
        if (pause !== undefined) return pause
        ranges.push(rest)
      }
    }
    return undefined
  }

  // How many messages at the beginning are delivered by now.
  #settle (sent: readonly M[], { failure, processed = -1 }: Attempt): number {
    const count = failure === undefined && processed < 0
      ? sent.length
      : sent.filter(({ lastOffset }) => lastOffset <= processed).length
    const last = sent[count - 1]
    if (last === undefined) return 0
    this.#retry = undefined
    this.#streak.end()
    this.#port.settled(last.lastOffset, 'delivered')
    return count
  }

  // A try of this message alone has failed, or the endpoint is away.
  #fail (message: M, attempt: Attempt, failure: FailureClass): PauseReason | undefined {
    if (failure === 'gone') return 'gone'
    const state = this.#stateAfter(message, attempt, failure)
    this.#retry = state
    if (failure === 'endpoint') {
      if (state.failedAt - state.firstFailedAt >= this.#policy.maxOutageMs) return 'outage'
      this.#port.failing(state)
      return undefined
    }
    if (state.counted < this.#triesFor(failure, attempt.isFinal)) {
      this.#port.failing(state)
      return undefined
    }
    if (this.#policy.onFailure === 'pause') return 'message_failed'
    if (this.#streak.count >= this.#policy.maxConsecutiveFailures) return 'too_many_failures'
    this.#streak.add()
    this.#verdict = state
    return undefined
  }

  async #giveUp (message: M, state: RetryState, signal: AbortSignal): Promise<undefined> {
    const isDropped = this.#policy.onFailure === 'drop'
    if (!isDropped) await this.#port.toErrorStream(message, state, signal)
    this.#retry = undefined
    this.#verdict = undefined
    this.#port.settled(message.lastOffset, isDropped ? 'dropped' : 'error')
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
    const steadyMs = this.#port.steadyMs()
    const state: RetryState = {
      offset,
      attempts,
      counted: (before?.counted ?? 0) + (mayBeTheMessage(failure) ? 1 : 0),
      failure,
      status: attempt.status,
      error: attempt.error ?? 'the endpoint says that it has processed nothing',
      firstFailedAt: isSameTrouble ? beginOf(before, now, steadyMs) : now,
      failedAt: now,
      nextAttemptAt: now + delayMs
    }
    FAILED_MS.set(state, steadyMs)
    return state
  }

  #retryOf ({ offset }: M): RetryState | undefined {
    return this.#retry?.offset === offset ? this.#retry : undefined
  }

  #verdictOn (message: M): RetryState | undefined {
    const { offset } = message
    if (this.#verdict?.offset === offset) return this.#verdict
    if (this.#skipOffset === undefined || this.#skipOffset > offset) return undefined
    const isSkipped = this.#skipOffset === offset
    this.#skipOffset = undefined
    return isSkipped ? this.#retryOf(message) ?? skippedState(offset, this.#port.now()) : undefined
  }
}

// When the trouble began, by the clock as it is now: a clock that was set meanwhile makes no outage longer or shorter.
// Of a failure that another process has seen only the clock is known.
function beginOf (before: RetryState, now: number, steadyMs: number): number {
  const failedMs = FAILED_MS.get(before)
  if (failedMs === undefined) return Math.min(before.firstFailedAt, now)
  return now - (steadyMs - failedMs) - (before.failedAt - before.firstFailedAt)
}

// Of a message that was never tried.
function skippedState (offset: number, now: number): RetryState {
  return {
    offset,
    attempts: 0,
    counted: 0,
    failure: 'message',
    status: undefined,
    error: 'skipped by an operator',
    firstFailedAt: now,
    failedAt: now,
    nextAttemptAt: now
  }
}

function mayBeTheMessage (failure: FailureClass): boolean {
  return failure === 'message' || failure === 'ambiguous'
}
