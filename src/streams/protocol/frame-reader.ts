import { MalformedFrameError } from './errors.ts'

/**
 * A cursor over one frame. A read beyond the end of the frame throws `MalformedFrameError`.
 *
 * Types of the protocol, all big endian: uint8 to uint64, int16 to int64; string = int16 length, UTF-8 bytes; bytes =
 * int32 length, bytes; array = int32 count, elements. A length of -1 means null, which is read as empty: no command
 * distinguishes the two.
 */
export class FrameReader {
  readonly #buffer: Buffer
  readonly #end: number
  readonly #isOwn: boolean
  #position: number

  /** @param isOwn the buffer holds only this frame and may be kept */
  constructor (buffer: Buffer, start: number, end: number, isOwn = false) {
    this.#buffer = buffer
    this.#position = start
    this.#end = end
    this.#isOwn = isOwn
  }

  get remaining (): number {
    return this.#end - this.#position
  }

  u8 (): number {
    return this.#buffer.readUInt8(this.#advance(1))
  }

  u16 (): number {
    return this.#buffer.readUInt16BE(this.#advance(2))
  }

  u32 (): number {
    return this.#buffer.readUInt32BE(this.#advance(4))
  }

  u64 (): bigint {
    return this.#buffer.readBigUInt64BE(this.#advance(8))
  }

  i64 (): bigint {
    return this.#buffer.readBigInt64BE(this.#advance(8))
  }

  /** A uint64 as a number; undefined when it is above 2^53 - 1. */
  u64AsNumber (): number | undefined {
    const value = readU64AsNumber(this.#buffer, this.#advance(8))
    return Number.isSafeInteger(value) ? value : undefined
  }

  string (): string {
    const length = this.#length(this.#buffer.readInt16BE(this.#advance(2)))
    const start = this.#advance(length)
    return this.#buffer.toString('utf8', start, start + length)
  }

  /** Reads an array. A count that is too high ends at the end of the frame, because nothing is allocated ahead. */
  array<T> (readElement: (reader: FrameReader) => T): T[] {
    const elements: T[] = []
    for (let left = this.#length(this.#buffer.readInt32BE(this.#advance(4))); left > 0; left--) {
      elements.push(readElement(this))
    }
    return elements
  }

  /** Reads an array of keys and values. */
  map<V> (readValue: (reader: FrameReader) => V): Map<string, V> {
    return new Map(this.array((reader) => [reader.string(), readValue(reader)]))
  }

  /** The rest of the frame, for codecs that work on the bytes themselves. */
  rest (): { buffer: Buffer, start: number, end: number, isOwn: boolean } {
    return { buffer: this.#buffer, start: this.#position, end: this.#end, isOwn: this.#isOwn }
  }

  #length (length: number): number {
    if (length < -1) throw new MalformedFrameError(`a frame announces a length of ${length}`)
    return Math.max(length, 0)
  }

  #advance (length: number): number {
    const start = this.#position
    if (length > this.#end - start) {
      throw new MalformedFrameError(`a frame ends ${length - (this.#end - start)} bytes too early`)
    }
    this.#position = start + length
    return start
  }
}

/**
 * Exact up to 2^53 - 1; a larger value becomes a number that is not a safe integer. Two 32 bit reads cost a tenth of a
 * bigint, and this runs once per message.
 */
export function readU64AsNumber (buffer: Buffer, position: number): number {
  return buffer.readUInt32BE(position) * 0x1_0000_0000 + buffer.readUInt32BE(position + 4)
}
