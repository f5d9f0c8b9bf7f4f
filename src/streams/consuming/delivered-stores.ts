import { consumerKey } from './consumer-key.ts'
import type { ConsumerOffsets } from './consumer-offsets.ts'

/**
 * Stores that a delivered answer has set off. The next read of the consumer waits for them: a client that asks again at
 * once would get the same batch again.
 */
export class DeliveredStores {
  readonly #offsets: ConsumerOffsets
  readonly #underWay = new Map<string, Promise<void>>()

  constructor (offsets: ConsumerOffsets) {
    this.#offsets = offsets
  }

  /** Begins to store. @param onFailure is told when that fails */
  begin (stream: string, consumer: string, offset: number, onFailure: (error: unknown) => void): void {
    const key = consumerKey(stream, consumer)
    const stored = this.#offsets.store(stream, consumer, offset).then(() => {}, onFailure).finally(() => {
      if (this.#underWay.get(key) === stored) this.#underWay.delete(key)
    })
    this.#underWay.set(key, stored)
  }

  /** Settles when the store that began last for the consumer has ended. */
  async settled (stream: string, consumer: string): Promise<void> {
    await this.#underWay.get(consumerKey(stream, consumer))
  }
}
