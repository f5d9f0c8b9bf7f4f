import { waitUntil, type WaitBounds } from './wait.ts'

/** Lets callers take turns, first come first served. */
export class Mutex {
  readonly #waiting: Array<() => void> = []
  #isTaken = false

  /**
   * Waits for the turn.
   *
   * @returns ends the turn, calling it twice is fine; undefined when the turn did not come within the bounds
   */
  async take (bounds: WaitBounds): Promise<(() => void) | undefined> {
    if (bounds.signal?.aborted === true) return undefined
    if (this.#isTaken && await this.#wait(bounds) !== 'done') return undefined
    this.#isTaken = true
    let isMine = true
    return () => {
      if (!isMine) return
      isMine = false
      const next = this.#waiting.shift()
      if (next === undefined) this.#isTaken = false
      else next()
    }
  }

  // `#isTaken` stays true while the turn is passed on, so that no other caller can take it in between.
  async #wait (bounds: WaitBounds) {
    return await waitUntil((done) => {
      this.#waiting.push(done)
      return () => { this.#waiting.splice(this.#waiting.indexOf(done), 1) }
    }, bounds)
  }
}
