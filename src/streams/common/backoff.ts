/**
 * Doubling pauses from `firstMs` to `maxMs`, each shortened by up to a half so that many waiters do not return at once.
 */
export class Backoff {
  readonly #firstMs: number
  readonly #maxMs: number
  #failures = 0

  constructor (firstMs: number, maxMs: number) {
    this.#firstMs = firstMs
    this.#maxMs = maxMs
  }

  reset (): void {
    this.#failures = 0
  }

  nextMs (): number {
    const fullMs = Math.min(this.#maxMs, this.#firstMs * 2 ** Math.min(this.#failures++, 20))
    return fullMs * (0.5 + Math.random() / 2)
  }
}
