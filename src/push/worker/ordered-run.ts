import { waitUntil } from '../../streams/index.ts'
import type { PauseReason, RetryState } from '../delivery/delivery.ts'
import type { OrderedDelivery } from '../delivery/ordered-delivery.ts'
import { MAX_RETRY_AFTER_MS } from '../delivery/retry.ts'
import { gather } from './gather.ts'
import type { PushMessage } from './push-message.ts'
import type { Run, RunOptions } from './run.ts'
import type { Source } from './source.ts'

// A message that waits longer for its next try is read again, so that it takes no memory meanwhile.
const SHORT_WAIT_MS = 500

/** One request after the other. */
export class OrderedRun implements Run {
  readonly #delivery: OrderedDelivery<PushMessage>
  readonly #options: RunOptions
  #wake: (() => void) | undefined

  constructor (delivery: OrderedDelivery<PushMessage>, options: RunOptions) {
    this.#delivery = delivery
    this.#options = options
  }

  get retry (): RetryState | undefined {
    return this.#delivery.retry
  }

  get failuresInARow (): number {
    return this.#delivery.failuresInARow
  }

  skip (offset: number): void {
    this.#delivery.skip(offset)
    this.#wake?.()
  }

  async deliverFrom (source: Source): Promise<PauseReason | 'done' | undefined> {
    const { amount, maxWaitMs, reporter, stopping, cutting } = this.#options
    while (!stopping.aborted) {
      const peeked = source.peek(amount, stopping)
      const messages = peeked instanceof Promise ? await peeked : peeked
      if (messages.length === 0) {
        if (source.isDone) return 'done'
        reporter.show('idle')
        await source.news(undefined, stopping)
        continue
      }
      const gathered = maxWaitMs > 0 ? await gather(source, messages, amount, maxWaitMs, stopping) : messages
      const end = await this.#delivery.try(gathered, cutting)
      if (end === 'later') await this.#untilRetry(source)
      else if (end !== undefined) return end
    }
    return undefined
  }

  async #untilRetry (source: Source): Promise<void> {
    const timeoutMs = Math.min((this.retry?.nextAttemptAt ?? 0) - Date.now(), MAX_RETRY_AFTER_MS)
    if (timeoutMs > SHORT_WAIT_MS) source.rest()
    await waitUntil((done) => {
      this.#wake = done
      return () => {}
    }, { timeoutMs, signal: this.#options.stopping })
    this.#wake = undefined
  }
}
