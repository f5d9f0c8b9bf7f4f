// How many messages all filters together look at in one turn of the event loop: less than a millisecond of work.
const MESSAGES = 2000

/** How much live reads with a filter look at without waiting for their turn: more would slow other requests down. */
export class ScanAllowance {
  #left = MESSAGES
  #isUsed = false

  /** Whether this many messages may be looked at in this turn of the event loop. They are counted then. */
  take (messages: number): boolean {
    if (messages > this.#left) return false
    this.#left -= messages
    if (!this.#isUsed) {
      this.#isUsed = true
      setImmediate(() => {
        this.#isUsed = false
        this.#left = MESSAGES
      })
    }
    return true
  }
}
