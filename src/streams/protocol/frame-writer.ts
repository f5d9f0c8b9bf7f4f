const MAX_STRING_BYTES = 0x7fff
const INITIAL_BYTES = 256
const MAX_U64 = 0xffff_ffff_ffff_ffffn

/**
 * Writes one frame, whose size `finish` fills in. For the types see `FrameReader`. Throws `RangeError` for a value that
 * the protocol cannot express, before anything reaches the socket.
 */
export class FrameWriter {
  #buffer = Buffer.allocUnsafe(INITIAL_BYTES)
  #length = 4

  u8 (value: number): this {
    const at = this.#reserve(1)
    this.#buffer.writeUInt8(value, at)
    return this
  }

  u16 (value: number): this {
    const at = this.#reserve(2)
    this.#buffer.writeUInt16BE(value, at)
    return this
  }

  u32 (value: number): this {
    const at = this.#reserve(4)
    this.#buffer.writeUInt32BE(value, at)
    return this
  }

  u64 (value: bigint): this {
    if (value < 0n || value > MAX_U64) throw new RangeError(`${value} is not an unsigned 64 bit integer`)
    const at = this.#reserve(8)
    this.#buffer.writeBigUInt64BE(value, at)
    return this
  }

  i64 (value: bigint): this {
    const at = this.#reserve(8)
    this.#buffer.writeBigInt64BE(value, at)
    return this
  }

  string (value: string): this {
    const length = Buffer.byteLength(value)
    if (length > MAX_STRING_BYTES) {
      throw new RangeError(`a string of ${length} bytes is above the protocol's limit of ${MAX_STRING_BYTES}`)
    }
    this.u16(length)
    const at = this.#reserve(length)
    this.#buffer.write(value, at, 'utf8')
    return this
  }

  bytes (value: Uint8Array): this {
    this.u32(value.length)
    const at = this.#reserve(value.length)
    this.#buffer.set(value, at)
    return this
  }

  array<T> (values: readonly T[], writeElement: (writer: this, value: T) => void): this {
    this.u32(values.length)
    for (const value of values) writeElement(this, value)
    return this
  }

  map (entries: ReadonlyMap<string, string>): this {
    return this.array([...entries], (writer, [key, value]) => writer.string(key).string(value))
  }

  /** Returns the frame. Nothing may be written afterwards. */
  finish (): Buffer {
    this.#buffer.writeUInt32BE(this.#length - 4, 0)
    return this.#buffer.subarray(0, this.#length)
  }

  // May replace the buffer, so call it before using `this.#buffer`.
  #reserve (length: number): number {
    const start = this.#length
    const needed = start + length
    if (needed > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2))
      this.#buffer.copy(larger, 0, 0, start)
      this.#buffer = larger
    }
    this.#length = needed
    return start
  }
}
