import { setMaxListeners } from 'node:events'
import type { PauseReason, RetryState } from '../delivery/delivery.ts'
import { MAX_WINDOW, type WindowedDelivery } from '../delivery/windowed-delivery.ts'
import type { PushMessage } from './push-message.ts'
import type { Run, RunOptions } from './run.ts'
import type { Amount } from './message-queue.ts'
import type { Source } from './source.ts'

const MIN_WINDOW_BYTES = 512 * 1024
const MAX_WINDOW_BYTES = 4 * 1024 * 1024

/** What is taken in advance for as many requests at a time. */
export function windowAmount ({ maxBytes }: Amount, concurrency: number): Amount {
  const bytes = Math.min(Math.max(maxBytes * concurrency, MIN_WINDOW_BYTES), MAX_WINDOW_BYTES)
  return { maxMessages: MAX_WINDOW, maxBytes: Math.max(bytes, maxBytes) }
}

/** Several requests at a time. */
export class WindowedRun implements Run {
  readonly #open: (retry: RetryState | undefined) => WindowedDelivery<PushMessage>
  readonly #options: Omit<RunOptions, 'maxWaitMs'>
  #delivery: WindowedDelivery<PushMessage>
  #skipOffset: number | undefined

  /**
   * @param open begins to deliver, with the state of the first message
   * @param options with the amount that is taken in advance
   */
  constructor (
    open: (retry: RetryState | undefined) => WindowedDelivery<PushMessage>, retry: RetryState | undefined,
    options: Omit<RunOptions, 'maxWaitMs'>
  ) {
    this.#open = open
    this.#options = options
    // Every request in flight, and every message that waits for its next try, listens.
    setMaxListeners(0, options.stopping, options.cutting)
    this.#delivery = open(retry)
  }

  get retry (): RetryState | undefined {
    return this.#delivery.retry
  }

  get failuresInARow (): number {
    return this.#delivery.failuresInARow
  }

  skip (offset: number): void {
    this.#skipOffset = offset
    this.#delivery.skip(offset)
  }

  async deliverFrom (source: Source): Promise<PauseReason | 'done' | undefined> {
    const { stopping } = this.#options
    if (this.#delivery.over.aborted) this.#reopen()
    const delivery = this.#delivery
    try {
      return await this.#feed(source, delivery)
    } catch (error) {
      if (stopping.aborted) return undefined
      throw error
    } finally {
      await delivery.stop()
    }
  }

  async #feed (
    source: Source, delivery: WindowedDelivery<PushMessage>
  ): Promise<PauseReason | 'done' | undefined> {
    const { amount, reporter, stopping, cutting } = this.#options
    const either = AbortSignal.any([stopping, delivery.over])
    while (!stopping.aborted) {
      if (delivery.over.aborted) return await delivery.finish(cutting)
      const peeked = source.peek(amount, stopping)
      const messages = peeked instanceof Promise ? await peeked : peeked
      const { lastOffset = -1 } = delivery
      const fresh = messages.filter(({ offset }) => offset > lastOffset)
      if (fresh.length > 0) {
        const pause = await delivery.deliver(fresh, cutting)
        if (pause !== undefined) return pause
        continue
      }
      if (messages.length === 0) {
        if (source.isDone) return 'done'
        reporter.show('idle')
      }
      await source.news(undefined, either)
    }
    return undefined
  }

  // What was in the window is read again.
  #reopen (): void {
    const { retry } = this.#delivery
    this.#delivery = this.#open(retry)
    if (this.#skipOffset !== undefined) this.#delivery.skip(this.#skipOffset)
  }
}
