// How long heavy work waits for newcomers, and for how long it then does not wait again.
const STAND_BACK_MS = 200
const STAND_FIRM_MS = 1000

/**
 * Lets one piece of heavy work into each turn of the event loop, in the order of asking. Work on a large body or answer
 * takes milliseconds. If several pieces were done in a row, a request that is to be refused would wait for all of them.
 *
 * When many connections arrive at once, no heavy work is done for a moment: the runtime accepts one connection in a
 * turn (libuv since 1.45), so each piece of work would delay all connections that wait to be accepted. Where
 * connections arrive all the time, this costs heavy work at most a sixth of its time.
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

  /** Settles when it is the caller's turn. The caller must do the work before its next await. */
  async next (): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve)
      if (!this.#isRunning) this.#plan()
    })
  }

  /** A connection was accepted, and others may wait to be accepted. */
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
