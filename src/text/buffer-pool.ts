// Sizes are rounded up to a multiple of it, so that one buffer can replace another.
const STEP_BYTES = 64 * 1024

/**
 * Memory that is used again. Large buffers live outside of the runtime's heap, and the runtime does a full garbage
 * collection whenever they add up to some 32 MiB: reads of a MiB each would spend a quarter of their time on that.
 */
export class BufferPool {
  readonly #free: Buffer[] = []
  readonly #maxCount: number
  readonly #maxBytes: number

  /**
   * @param maxCount how many buffers are kept for reuse
   * @param maxBytes size of the largest buffer that is kept
   */
  constructor (maxCount: number, maxBytes: number) {
    this.#maxCount = maxCount
    this.#maxBytes = maxBytes
  }

  /** A buffer of at least this many bytes, with any content. */
  take (bytes: number): Buffer {
    // The runtime handles small buffers well.
    if (bytes < STEP_BYTES / 2) return Buffer.allocUnsafe(bytes)
    // The buffer that was given back last is most likely still in the processor's caches.
    for (let index = this.#free.length - 1; index >= 0; index--) {
      const buffer = this.#free[index]
      if (buffer === undefined || buffer.length < bytes) continue
      this.#free.splice(index, 1)
      return buffer
    }
    return Buffer.allocUnsafeSlow(Math.ceil(bytes / STEP_BYTES) * STEP_BYTES)
  }

  /** Gives a buffer back. After that, neither it nor a view of it may be used. Call it once for each `take`. */
  give (buffer: Buffer): void {
    if (buffer.length < STEP_BYTES || buffer.length > this.#maxBytes) return
    if (this.#free.length >= this.#maxCount) this.#free.shift()
    this.#free.push(buffer)
  }
}
