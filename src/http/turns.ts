// How long heavy work stands back for newcomers at most.
const MAX_STAND_BACK_MS = 200

/**
 * Lets one piece of heavy work into each turn of the event loop, in the order of asking. Work on a large body or answer
 * takes milliseconds; were several done in a row, whoever is to be refused meanwhile would wait for all of them.
 *
 * While connections come, none is done at all: the runtime accepts one of them in a turn (libuv since 1.45), so that in a crowd each
 * piece of work would keep everybody outside for as long as it takes.
 */
export class Turns {
  readonly #waiting: Array<() => void> = []
  #isRunning = false
  #hasNewcomer = false
  #standsBackSinceMs: number | undefined

  /** Settles when it is the caller's turn; the work has to be done before the next await. */
  async next (): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve)
      if (!this.#isRunning) this.#plan()
    })
  }

  /** Somebody has come in, and others may wait outside. */
  newcomer (): void {
    this.#hasNewcomer = true
  }

  #plan (): void {
    this.#isRunning = true
    setImmediate(() => {
      if (!this.#standsBack()) this.#waiting.shift()?.()
      if (this.#waiting.length > 0) this.#plan()
      else this.#isRunning = false
    })
  }

  #standsBack (): boolean {
    const nowMs = performance.now()
    const sinceMs = this.#standsBackSinceMs ?? nowMs
    this.#standsBackSinceMs = this.#hasNewcomer && nowMs - sinceMs < MAX_STAND_BACK_MS ? sinceMs : undefined
    this.#hasNewcomer = false
    return this.#standsBackSinceMs !== undefined
  }
}
