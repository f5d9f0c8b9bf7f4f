/**
 * A bound in bytes on memory that waits for somebody else: the broker's confirms, a client that reads slowly.
 */
export class ByteBudget {
  readonly limitBytes: number
  #usedBytes = 0
  // Who waits for room, in the order of coming.
  readonly #waiting: Array<{ readonly bytes: number, readonly enter: () => void }> = []
  #waitingBytes = 0

  constructor (limitBytes: number) {
    this.limitBytes = limitBytes
  }

  get usedBytes (): number {
    return this.#usedBytes
  }

  get isExceeded (): boolean {
    return this.#usedBytes > this.limitBytes
  }

  /**
   * Whether so many more bytes fit, beside those of who has waited longest: it gets in next. Into an empty budget one
   * request always does, however large: otherwise it never could.
   */
  hasRoomFor (bytes: number): boolean {
    return this.#usedBytes === 0 || this.#usedBytes + (this.#waiting[0]?.bytes ?? 0) + bytes <= this.limitBytes
  }

  /** Takes the bytes if they fit. */
  tryTake (bytes: number): boolean {
    if (!this.hasRoomFor(bytes)) return false
    this.#usedBytes += bytes
    return true
  }

  /**
   * Waits until the bytes fit, and takes them; false when that was not so in time, or the signal was aborted before, or
   * too much waits already: it is in memory while it waits.
   */
  async takeLater (bytes: number, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    if (signal?.aborted === true || this.#waitingBytes + bytes > this.limitBytes / 4) return false
    return await new Promise((resolve) => {
      const waiter = { bytes, enter: () => { settle(true) } }
      const settle = (hasTaken: boolean): void => {
        clearTimeout(timer)
        this.#waitingBytes -= bytes
        signal?.removeEventListener('abort', giveUp)
        resolve(hasTaken)
      }
      const giveUp = (): void => {
        const at = this.#waiting.indexOf(waiter)
        if (at < 0) return
        this.#waiting.splice(at, 1)
        settle(false)
        this.#letIn() // a smaller one may have waited behind it
      }
      const timer = setTimeout(giveUp, timeoutMs)
      signal?.addEventListener('abort', giveUp, { once: true })
      this.#waiting.push(waiter)
      this.#waitingBytes += bytes
      this.#letIn()
    })
  }

  /** Takes what is in memory already and so cannot be refused; the caller then makes room. */
  take (bytes: number): void {
    this.#usedBytes += bytes
  }

  give (bytes: number): void {
    this.#usedBytes -= bytes
    this.#letIn()
  }

  #fits (bytes: number): boolean {
    return this.#usedBytes === 0 || this.#usedBytes + bytes <= this.limitBytes
  }

  #letIn (): void {
    for (let next = this.#waiting[0]; next !== undefined && this.#fits(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift()
      this.#usedBytes += next.bytes
      next.enter()
    }
  }
}
