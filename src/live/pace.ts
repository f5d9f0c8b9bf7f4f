// A write takes some ten microseconds: these take a few milliseconds.
const IN_A_TURN = 256

/**
 * The heartbeats of all answers, a bounded number in each turn of the event loop. Answers that got the same message are
 * due at the same moment: thousands of writes in one turn would hold up everything else.
 */
export class Pace {
  readonly #waiting: Array<() => void> = []
  #count = 0
  readonly #next = (): void => {
    const some = this.#waiting.splice(0, IN_A_TURN)
    this.#count = some.length
    if (some.length > 0) setImmediate(this.#next)
    for (const begin of some) begin()
  }

  /** Undefined when a heartbeat may be written now; otherwise settles when it may. */
  turn (): Promise<void> | undefined {
    if (this.#count === 0) setImmediate(this.#next)
    this.#count++
    if (this.#count <= IN_A_TURN) return undefined
    return new Promise((resolve) => { this.#waiting.push(resolve) })
  }
}
