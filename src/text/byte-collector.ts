const INITIAL_BYTES = 4096

/**
 * Joins chunks into one buffer that doubles when it is full. A list of chunks would cost some hundred bytes of memory
 * for each chunk, so a client that sends single bytes could fill the memory.
 */
export class ByteCollector {
  #buffer: Buffer | undefined
  #length = 0
  readonly #expectedBytes: number

  /** @param expectedBytes the most that are expected: no more are allocated before more come */
  constructor (expectedBytes = 0) {
    this.#expectedBytes = expectedBytes
  }

  get length (): number {
    return this.#length
  }

  /** The allocated bytes. */
  get capacity (): number {
    return this.#buffer?.length ?? 0
  }

  /** The bytes that would be allocated after this many more. */
  capacityFor (moreBytes: number): number {
    const end = this.#length + moreBytes
    if (end <= this.capacity) return this.capacity
    const doubled = Math.max(INITIAL_BYTES, this.capacity * 2)
    return Math.max(end, end <= this.#expectedBytes ? Math.min(doubled, this.#expectedBytes) : doubled)
  }

  /** How many bytes are copied to a larger buffer before this many more are appended. */
  copiedBefore (moreBytes: number): number {
    return this.#length + moreBytes > this.capacity ? this.#length : 0
  }

  append (chunk: Uint8Array): void {
    const capacity = this.capacityFor(chunk.length)
    let buffer = this.#buffer
    if (buffer === undefined || buffer.length < capacity) {
      const larger = Buffer.allocUnsafe(capacity)
      buffer?.copy(larger, 0, 0, this.#length)
      this.#buffer = buffer = larger
    }
    buffer.set(chunk, this.#length)
    this.#length += chunk.length
  }

  /** The collected bytes. After that the collector is empty. */
  take (): Buffer {
    const bytes = this.#buffer?.subarray(0, this.#length) ?? Buffer.alloc(0)
    this.#buffer = undefined
    this.#length = 0
    return bytes
  }
}
