// A limit may change while an answer waits.
const MAX_PAUSE_MS = 5000

/** Those of one caller who wait until a debt is paid: one timer for all of them, and they continue in turn. */
export class Debtors {
  readonly #secondsUntilPaid: (nowMs: number) => number
  // In the order in which they came.
  readonly #waiting = new Set<() => void>()
  #timer: NodeJS.Timeout | undefined

  /** @param secondsUntilPaid 0 when there is no debt */
  constructor (secondsUntilPaid: (nowMs: number) => number) {
    this.#secondsUntilPaid = secondsUntilPaid
  }

  /**
   * Whether there is a debt. Then `paid` is called once, when it is paid and those who came before have had their turn:
   * what they take may be a new debt, and it is to ask again.
   */
  join (paid: () => void): boolean {
    if (this.#waiting.has(paid)) return true
    const seconds = this.#secondsUntilPaid(performance.now())
    if (seconds === 0 && this.#timer === undefined) return false
    this.#waiting.add(paid)
    this.#wait(seconds)
    return true
  }

  /** It is not called any longer. Calling this twice is fine. */
  leave (paid: () => void): void {
    this.#waiting.delete(paid)
    if (this.#waiting.size > 0) return
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #wait (seconds: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#next()
    }, Math.min(Math.ceil(seconds * 1000), MAX_PAUSE_MS))
  }

  #next (): void {
    for (const paid of this.#waiting) {
      const seconds = this.#secondsUntilPaid(performance.now())
      if (seconds > 0) {
        this.#wait(seconds)
        return
      }
      this.#waiting.delete(paid)
      paid()
    }
  }
}
