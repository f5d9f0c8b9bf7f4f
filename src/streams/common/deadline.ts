import { setTimeout as delay } from 'node:timers/promises'

/** A moment after which nobody waits any more. */
export class Deadline {
  readonly atMs: number

  constructor (timeoutMs: number) {
    this.atMs = performance.now() + timeoutMs
  }

  get remainingMs (): number {
    return Math.max(0, this.atMs - performance.now())
  }

  get hasPassed (): boolean {
    return performance.now() >= this.atMs
  }
}

/** Pauses; an abort ends the pause early and is not an error here: the caller looks at its signal. */
export async function pause (ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal })
  } catch {
    // aborted
  }
}

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
