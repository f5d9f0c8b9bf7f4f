// How long heavy work stands back for newcomers, and how long it then does not.
const STAND_BACK_MS = 200
const STAND_FIRM_MS = 1000

/**
 * Lets one piece of heavy work into each turn of the event loop, in the order of asking. Work on a large body or answer
 * takes milliseconds; were several done in a row, whoever is to be refused meanwhile would wait for all of them.
 *
 * When a crowd of connections comes, none is done for a moment: the runtime accepts one of them in a turn (libuv since
 * 1.45), so that each piece of work would keep everybody outside for as long as it takes. Where connections come all
 * the time, that costs heavy work a sixth of its time at most.
 */
export class Turns {
  readonly #waiting: Array<() => void> = []
  readonly #now: () => number
  #isRunning = false
  #hasNewcomer = false
  #standsBackSinceMs: number | undefined
  #standsFirmUntilMs = -Infinity

  /** @param now the clock, ms */
  constructor (now = (): number => performance.now()) {
    this.#now = now
  }

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
    const hasNewcomer = this.#hasNewcomer
    this.#hasNewcomer = false
    const nowMs = this.#now()
    if (!hasNewcomer || nowMs < this.#standsFirmUntilMs) {
      this.#standsBackSinceMs = undefined
      return false
    }
    this.#standsBackSinceMs ??= nowMs
    if (nowMs - this.#standsBackSinceMs < STAND_BACK_MS) return true
    this.#standsBackSinceMs = undefined
    this.#standsFirmUntilMs = nowMs + STAND_FIRM_MS
    return false
  }
}
