// Sizes are rounded up to it, so that they fit in the place of each other.
const STEP_BYTES = 64 * 1024

/**
 * Memory that is used again. Large buffers live outside of the runtime's heap, and it collects its garbage, all of it,
 * whenever they come to some 32 MiB: reads of a MiB each would spend a quarter of their time on that.
 */
export class BufferPool {
  readonly #free: Buffer[] = []
  readonly #maxCount: number
  readonly #maxBytes: number

  /**
   * @param maxCount how many buffers are kept for later
   * @param maxBytes size of the largest that is kept
   */
  constructor (maxCount: number, maxBytes: number) {
    this.#maxCount = maxCount
    this.#maxBytes = maxBytes
  }

  /** At least so many bytes, with anything in them. */
  take (bytes: number): Buffer {
    // Small ones are the runtime's own affair.
    if (bytes < STEP_BYTES / 2) return Buffer.allocUnsafe(bytes)
    // The one that was given back last is the one that is still in the processor's caches.
    for (let index = this.#free.length - 1; index >= 0; index--) {
      const buffer = this.#free[index]
      if (buffer === undefined || buffer.length < bytes) continue
      this.#free.splice(index, 1)
      return buffer
    }
    return Buffer.allocUnsafeSlow(Math.ceil(bytes / STEP_BYTES) * STEP_BYTES)
  }

  /** Nobody may use it, or a view of it, any more. Not to be called twice for one `take`. */
  give (buffer: Buffer): void {
    if (buffer.length < STEP_BYTES || buffer.length > this.#maxBytes) return
    if (this.#free.length >= this.#maxCount) this.#free.shift()
    this.#free.push(buffer)
  }
}
