/**
 * A bound in bytes on memory that waits for somebody else: the broker's confirms, a client that reads slowly.
 */
export class ByteBudget {
  readonly limitBytes: number
  #usedBytes = 0

  constructor (limitBytes: number) {
    this.limitBytes = limitBytes
  }

  get usedBytes (): number {
    return this.#usedBytes
  }

  get isExceeded (): boolean {
    return this.#usedBytes > this.limitBytes
  }

  /** Takes the bytes if they fit. One request may always pass an empty budget, however large: otherwise it never could. */
  tryTake (bytes: number): boolean {
    if (this.#usedBytes > 0 && this.#usedBytes + bytes > this.limitBytes) return false
    this.#usedBytes += bytes
    return true
  }

  /** Takes what is in memory already and so cannot be refused; the caller then makes room. */
  take (bytes: number): void {
    this.#usedBytes += bytes
  }

  give (bytes: number): void {
    this.#usedBytes -= bytes
  }
}
