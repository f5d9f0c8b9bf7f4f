/** Lets a limited number of callers in at a time. The others wait for a bounded time. */
export class Turnstile {
  readonly limit: number
  readonly #maxWaiting: number
  readonly #waitMs: number
  readonly #waiting = new Set<() => void>()
  #inside = 0

  constructor (limit: number, { maxWaiting, waitMs }: { maxWaiting: number, waitMs: number }) {
    this.limit = limit
    this.#maxWaiting = maxWaiting
    this.#waitMs = waitMs
  }

  /** False when there was no room in time, or too many wait already. A caller that got in has to call `leave`. */
  async enter (): Promise<boolean> {
    if (this.#inside < this.limit) {
      this.#inside++
      return true
    }
    if (this.#waiting.size >= this.#maxWaiting) return false
    return await new Promise((resolve) => {
      const enter = (): void => {
        clearTimeout(timer)
        resolve(true)
      }
      const timer = setTimeout(() => {
        this.#waiting.delete(enter)
        resolve(false)
      }, this.#waitMs)
      this.#waiting.add(enter)
    })
  }

  /** Gives the place to the caller that has waited longest. */
  leave (): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#inside--
      return
    }
    this.#waiting.delete(next)
    next()
  }
}
