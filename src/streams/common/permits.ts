/** Bounds how many pieces of work are under way at once. The others wait, first come first served. */
export class Permits {
  readonly #waiting: Array<() => void> = []
  #free: number

  constructor (limit: number) {
    this.#free = limit
  }

  /** Does the work when it is its turn. @throws what the work throws */
  async run<T> (work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--
    else await new Promise<void>((resolve) => { this.#waiting.push(resolve) })
    try {
      return await work()
    } finally {
      // The permit is passed on, so that no other caller can take it in between.
      const next = this.#waiting.shift()
      if (next === undefined) this.#free++
      else next()
    }
  }
}
