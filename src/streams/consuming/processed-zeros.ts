const MEMORY_MS = 60_000
const MAX_REMEMBERED = 10_000

/**
 * Consumers of which this process knows that they have processed message 0 and no other. The broker keeps a 0 for them,
 * as it does for those that were reset to the beginning: a consumer that takes one message at a time would get message
 * 0 for ever.
 *
 * A consumer is remembered for a minute and no longer: meanwhile another process may have reset it, which leaves the
 * same 0. Within that minute such a reset is overlooked here.
 */
export class ProcessedZeros {
  readonly #untilMs = new Map<string, number>()

  add (consumer: string): void {
    this.#untilMs.delete(consumer)
    this.#untilMs.set(consumer, performance.now() + MEMORY_MS)
    for (const oldest of this.#untilMs.keys()) {
      if (this.#untilMs.size <= MAX_REMEMBERED) break
      this.#untilMs.delete(oldest)
    }
  }

  has (consumer: string): boolean {
    return performance.now() < (this.#untilMs.get(consumer) ?? 0)
  }

  delete (consumer: string): void {
    this.#untilMs.delete(consumer)
  }

  /** Deletes all whose key begins with the prefix. */
  deleteAll (prefix: string): void {
    for (const consumer of this.#untilMs.keys()) if (consumer.startsWith(prefix)) this.#untilMs.delete(consumer)
  }
}
