/**
 * Lets one piece of heavy work into each turn of the event loop, in the order of asking. Work on a large body or answer
 * takes milliseconds; were several done in a row, whoever is to be refused meanwhile would wait for all of them.
 */
export class Turns {
  readonly #waiting: Array<() => void> = []
  #isRunning = false

  /** Settles when it is the caller's turn; the work has to be done before the next await. */
  async next (): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve)
      if (!this.#isRunning) this.#plan()
    })
  }

  #plan (): void {
    this.#isRunning = true
    setImmediate(() => {
      this.#waiting.shift()?.()
      if (this.#waiting.length > 0) this.#plan()
      else this.#isRunning = false
    })
  }
}
