import type { Logger } from '../common/logger.ts'
import { consumerKey } from './consumer-key.ts'
import type { ConsumerOffsets } from './consumer-offsets.ts'

/**
 * Stores that a delivered answer has set off. The next read of the consumer waits for them: a client that asks again at
 * once would get the same batch again.
 */
export class DeliveredStores {
  readonly #offsets: ConsumerOffsets
  readonly #logger: Logger
  readonly #underWay = new Map<string, Promise<void>>()

  constructor (offsets: ConsumerOffsets, logger: Logger) {
    this.#offsets = offsets
    this.#logger = logger
  }

  /** Begins to store. Never throws. */
  begin (stream: string, consumer: string, offset: number): void {
    const key = consumerKey(stream, consumer)
    const stored = this.#store(stream, consumer, offset).finally(() => {
      if (this.#underWay.get(key) === stored) this.#underWay.delete(key)
    })
    this.#underWay.set(key, stored)
  }

  /** Settles when the store that began last for the consumer has ended. */
  async settled (stream: string, consumer: string): Promise<void> {
    await this.#underWay.get(consumerKey(stream, consumer))
  }

  async #store (stream: string, consumer: string, offset: number): Promise<void> {
    try {
      await this.#offsets.store(stream, consumer, offset)
    } catch (error) {
      this.#logger.warn(
        { err: error, stream, consumer, offset },
        'an offset could not be stored after its batch was delivered; the batch will be delivered again'
      )
    }
  }
}
