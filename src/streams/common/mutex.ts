/** Lets callers take turns, first come first served. */
export class Mutex {
  readonly #waiting: Array<() => void> = []
  #isTaken = false

  get isFree (): boolean {
    return !this.#isTaken
  }

  /**
   * Waits for the turn.
   *
   * @returns gives the turn on; calling it twice is fine
   * @throws the signal's reason when it aborts first
   */
  async take (signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted()
    if (this.#isTaken) await this.#wait(signal)
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

  // `#isTaken` stays true while the turn is handed on, so that nobody can slip in between.
  async #wait (signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const onTurn = (): void => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      }
      const onAbort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(onTurn), 1)
        reject(signal.reason)
      }
      this.#waiting.push(onTurn)
      signal.addEventListener('abort', onAbort, { once: true })
    })
  }
}
