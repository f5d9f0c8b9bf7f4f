import { pause } from '../../streams/index.ts'
import { withAnySignal } from '../any-signal.ts'
import type { DeliveryPort, RetryState } from '../delivery/delivery.ts'
import { MAX_RETRY_AFTER_MS } from '../delivery/retry.ts'
import type { Attempt } from '../endpoint/attempt.ts'
import type { ErrorEntries } from './error-entries.ts'
import { untilFresh, type Progress } from './progress.ts'
import { shownPlace, type PushMessage } from './push-message.ts'
import type { Reporter } from './reporter.ts'
import type { RequestTraces } from './request-traces.ts'
import type { Requests } from './requests.ts'
import type { WorkerShared, WorkerTask } from './worker-options.ts'

type How = 'delivered' | 'error' | 'dropped'

export interface SenderOptions {
  readonly shared: WorkerShared
  readonly seat: WorkerTask['seat']
  readonly requests: Requests
  readonly traces: RequestTraces
  readonly progress: Progress
  readonly reporter: Reporter
  readonly entries: ErrorEntries
  /** Everything up to and including the offset is settled. Returns where the worker stands, and how many it were. */
  readonly settled: (offset: number, how: How) => { readonly next: number, readonly count: number }
  /** Nothing more is sent. */
  readonly stopping: AbortSignal
}

/** What a delivery of messages works with. */
export class Sender implements DeliveryPort<PushMessage> {
  readonly #options: SenderOptions
  readonly now = Date.now
  readonly steadyMs = (): number => performance.now()

  constructor (options: SenderOptions) {
    this.#options = options
  }

  async post (messages: readonly PushMessage[], attempt: number, signal: AbortSignal): Promise<Attempt> {
    const { shared: { endpoints, figures }, requests, traces, reporter } = this.#options
    const [first, ...others] = messages
    if (first === undefined) throw new RangeError('a request carries at least one message')
    const made = await requests.of([first, ...others], attempt)
    if (!this.#mayPost) await this.#untilMayPost()
    const { request, end } = traces.begin(made, messages)
    figures.attempts++
    figures.inFlight++
    const answer = await endpoints.post(request, signal)
    figures.inFlight--
    end?.(answer)
    if (answer.failure !== undefined) figures.failed[answer.failure]++
    reporter.answered(first.offset, answer)
    return first.origin === undefined ? answer : readAnswer(messages, answer)
  }

  settled (offset: number, how: How): void {
    const { shared: { figures }, progress, settled } = this.#options
    const { next, count } = settled(offset, how)
    figures[how === 'error' ? 'errorEntries' : how] += count
    progress.reached(next, count)
    // Were it not stored, another instance would begin with a message that is in the error stream already.
    if (how !== 'delivered') progress.storeSoon()
  }

  async toErrorStream (message: PushMessage, state: RetryState, signal: AbortSignal): Promise<void> {
    await this.#options.entries.write(message, state, signal)
  }

  failing (state: RetryState): void {
    this.#options.reporter.failing(state)
  }

  async sleepUntil (at: number, signal: AbortSignal): Promise<void> {
    const timeoutMs = Math.min(Math.max(at - Date.now(), 0), MAX_RETRY_AFTER_MS)
    await withAnySignal([signal, this.#options.stopping], async (any) => {
      await pause(timeoutMs, any)
      any.throwIfAborted()
    })
  }

  get #mayPost (): boolean {
    const { seat, progress, stopping } = this.#options
    return !stopping.aborted && seat.isFresh() && !progress.isFull
  }

  async #untilMayPost (): Promise<void> {
    const { seat, progress, stopping } = this.#options
    do {
      stopping.throwIfAborted()
      await untilFresh(seat, stopping)
      if (progress.isFull) await progress.store()
    } while (!this.#mayPost)
  }
}

// The endpoint names the offset that it was shown. The messages up to there are those before the first that is beyond.
function readAnswer (messages: readonly PushMessage[], answer: Attempt): Attempt {
  const { processed } = answer
  if (processed === undefined) return answer
  const beyond = messages.findIndex((message) => shownPlace(message).lastOffset > processed)
  const last = messages[(beyond === -1 ? messages.length : beyond) - 1]
  if (last !== undefined) return { ...answer, processed: last.lastOffset }
  return { ...answer, failure: answer.failure ?? 'ambiguous', processed: undefined }
}
