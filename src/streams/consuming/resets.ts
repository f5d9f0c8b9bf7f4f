/** Tells reads that are held for a consumer that it was reset. */
export class Resets {
  readonly #listeners = new Map<string, Set<() => void>>()

  /** Calls the listener at each reset of the consumer, until what this returns is called. */
  listen (consumer: string, listener: () => void): () => void {
    const listeners = this.#listeners.get(consumer) ?? new Set()
    this.#listeners.set(consumer, listeners.add(listener))
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0 && this.#listeners.get(consumer) === listeners) this.#listeners.delete(consumer)
    }
  }

  tell (consumer: string): void {
    for (const listener of [...this.#listeners.get(consumer) ?? []]) listener()
  }
}
