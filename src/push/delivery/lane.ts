import { withAnySignal } from '../any-signal.ts'
import type { Attempt } from '../endpoint/attempt.ts'
import type {
  Deliverable, DeliveryPort, FailureStreak, PauseReason, RetryPolicy, RetryState
} from './delivery.ts'
import type { Gate } from './gate.ts'
import { OrderedDelivery } from './ordered-delivery.ts'
import type { Entry, Settlement } from './window.ts'

export interface LaneOptions<M extends Deliverable> {
  readonly port: DeliveryPort<M>
  readonly gate: Gate
  readonly policy: RetryPolicy
  /** Of the message that was tried by the owner before. */
  readonly retry: RetryState | undefined
  readonly streak: FailureStreak
  /** Aborts when nothing more is sent. */
  readonly over: AbortSignal
  /** Gives up what is in flight. */
  readonly signal: () => AbortSignal
  /** Some of its messages are settled. */
  readonly settled: () => void
  /** A message has failed and is tried again. */
  readonly failing: (entry: Entry<M>) => void
}

/** Delivers batches one after the other, beside other lanes. */
export class Lane<M extends Deliverable> {
  readonly #options: LaneOptions<M>
  readonly #life: { readonly began: () => void, readonly ended: () => void }
  readonly #delivery: OrderedDelivery<M>
  #batch: ReadonlyArray<Entry<M>> = []
  #wake: () => void = () => {}

  /** @param life told when it begins with a batch, and when it is done with it */
  constructor (options: LaneOptions<M>, life: { readonly began: () => void, readonly ended: () => void }) {
    const { port, gate, policy, retry, streak, over } = options
    this.#options = options
    this.#life = life
    this.#delivery = new OrderedDelivery<M>({
      now: () => port.now(),
      steadyMs: () => port.steadyMs(),
      post: async (messages, attempt, signal) => await this.#post(messages, attempt, signal),
      toErrorStream: async (message, state, signal) => { await port.toErrorStream(message, state, signal) },
      sleepUntil: async (at, signal) => { await port.sleepUntil(at, signal) },
      admit: async ({ offset }) => await gate.admit(offset, async (at) => { await port.sleepUntil(at, over) }),
      settled: (offset, how) => { this.#settle(offset, how) },
      failing: (state) => { this.#failing(state) }
    }, policy, retry, streak)
  }

  /** Delivers a batch. Returns why the subscription has to pause before its end. @throws when nothing more is sent */
  async deliver (batch: ReadonlyArray<Entry<M>>): Promise<PauseReason | undefined> {
    const { signal } = this.#options
    this.#batch = batch
    this.#life.began()
    try {
      for (;;) {
        const rest = this.#batch.filter(({ how }) => how === undefined).map(({ message }) => message)
        const end = await this.#delivery.try(rest, signal())
        if (end !== 'later') return end
        await this.#sleepUntil(this.#delivery.retry?.nextAttemptAt ?? 0)
      }
    } finally {
      this.#life.ended()
    }
  }

  /** See `OrderedDelivery.skip`. */
  skip (offset: number): void {
    if (!this.#batch.some(({ message }) => message.offset === offset)) return
    this.#delivery.skip(offset)
    this.#wake()
  }

  async #post (messages: readonly M[], attempt: number, signal: AbortSignal): Promise<Attempt> {
    const { port, gate, over } = this.#options
    try {
      over.throwIfAborted()
      const answer = await port.post(messages, attempt, signal)
      gate.answered(answer)
      return answer
    } catch (error) {
      gate.left()
      throw error
    }
  }

  #settle (offset: number, how: Settlement): void {
    for (const entry of this.#batch) {
      if (entry.message.lastOffset > offset) break
      entry.how ??= how
      entry.retry = undefined
    }
    this.#options.settled()
  }

  #failing (state: RetryState): void {
    const entry = this.#batch.find(({ message }) => message.offset === state.offset)
    if (entry === undefined) return
    entry.retry = state
    this.#options.failing(entry)
  }

  async #sleepUntil (at: number): Promise<void> {
    const { port, over } = this.#options
    const woken = new AbortController()
    this.#wake = () => { woken.abort() }
    try {
      await withAnySignal([over, woken.signal], async (any) => { await port.sleepUntil(at, any) })
    } catch (error) {
      if (!woken.signal.aborted) throw error
    } finally {
      this.#wake = () => {}
    }
  }
}
