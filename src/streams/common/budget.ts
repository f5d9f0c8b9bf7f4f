import { waitUntil } from './wait.ts'

/**
 * A bound in bytes on memory that waits for somebody else: for the broker's confirms, or for a client that reads
 * slowly. Owners of memory hold it by a `Lease`.
 */
export class ByteBudget {
  readonly limitBytes: number
  #usedBytes = 0
  // Requests that wait for room, in the order in which they came.
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
   * Whether the bytes fit beside those of the request that has waited longest, which gets in next. Into an empty budget
   * one request always fits, however large: otherwise it never could.
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
   * Waits until the bytes fit, and takes them. False when they did not fit in time or the signal was aborted before,
   * and at once when too much waits already: what waits is in memory too.
   */
  async takeLater (bytes: number, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    if (this.#waitingBytes + bytes > this.limitBytes / 4) return false
    const end = await waitUntil((done) => {
      const waiter = { bytes, enter: done }
      this.#waiting.push(waiter)
      this.#waitingBytes += bytes
      this.#letIn()
      return () => { this.#giveUp(waiter) }
    }, { timeoutMs, signal })
    return end === 'done'
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
      this.#waitingBytes -= next.bytes
      this.#usedBytes += next.bytes
      next.enter()
    }
  }

  #giveUp (waiter: { readonly bytes: number, readonly enter: () => void }): void {
    this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
    this.#waitingBytes -= waiter.bytes
    this.#letIn() // a smaller one may have waited behind it
  }
}
