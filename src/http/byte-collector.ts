const INITIAL_BYTES = 4096

/**
 * Joins chunks into one buffer that doubles when it is full. A list of chunks would cost some hundred bytes of memory
 * for each, which a client that sends single bytes could use against us.
 */
export class ByteCollector {
  #buffer: Buffer | undefined
  #length = 0

  get length (): number {
    return this.#length
  }

  append (chunk: Uint8Array): void {
    const end = this.#length + chunk.length
    let buffer = this.#buffer
    if (buffer === undefined || end > buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(end, INITIAL_BYTES, (buffer?.length ?? 0) * 2))
      buffer?.copy(larger, 0, 0, this.#length)
      this.#buffer = buffer = larger
    }
    buffer.set(chunk, this.#length)
    this.#length = end
  }

  /** What was collected; the collector is empty afterwards. */
  take (): Buffer {
    const bytes = this.#buffer?.subarray(0, this.#length) ?? Buffer.alloc(0)
    this.#buffer = undefined
    this.#length = 0
    return bytes
  }
}
