import { isUtf8 } from 'node:buffer'
import {
  CODE, FEWEST_BYTES, MAX_DEPTH, MAX_REPEATED_DESCRIPTOR_BYTES, MAX_TEXT_BYTES, MAX_VALUES, MAX_ZERO_WIDTH_ELEMENTS,
  SECTION_SYMBOLS
} from './codes.ts'
import { AmqpDecodeError, AmqpTooLargeError } from './decode-error.ts'
import { readFixedWidth } from './fixed-width.ts'
import { ABSENT, skipped } from './skip.ts'
import type { AmqpValue } from './value.ts'

const EMPTY_LIST: AmqpValue = { type: 'list', value: [] }

/**
 * Reads encoded values one after the other. Binaries are views of the given bytes. Every length and count is checked
 * against the bytes that are left before anything is allocated, so a few bytes cannot claim much memory. Throws only
 * AmqpDecodeError.
 */
export class ValueReader {
  readonly #bytes: Buffer
  #position = 0
  /** The end of the innermost open list, map or array. */
  #limit: number
  #zeroWidthElementsLeft = MAX_ZERO_WIDTH_ELEMENTS
  #repeatedDescriptorBytesLeft = MAX_REPEATED_DESCRIPTOR_BYTES
  #valuesLeft = MAX_VALUES
  #textBytesLeft = MAX_TEXT_BYTES

  constructor (bytes: Uint8Array) {
    this.#bytes = bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#limit = bytes.length
  }

  get isAtEnd (): boolean {
    return this.#position === this.#limit
  }

  /** Reads the number of the section that starts here. The number may be unknown. */
  readSectionDescriptor (): number {
    if (this.#u8() !== CODE.described) throw new AmqpDecodeError('a section must start with a descriptor')
    if (this.#position + 1 < this.#limit && this.#bytes[this.#position] === CODE.smallUlong) {
      this.#position++
      return this.#u8()
    }
    const descriptor = this.readValue(1)
    if (descriptor.type === 'ulong' && descriptor.value < 256n) return Number(descriptor.value)
    const known = descriptor.type === 'symbol' ? SECTION_SYMBOLS.get(descriptor.value) : undefined
    if (known === undefined) throw new AmqpDecodeError('a section has an unknown descriptor')
    return known
  }

  /** Where the next value begins. */
  get position (): number {
    return this.#position
  }

  /** Reads a value that must be a binary. Returns a view. */
  readBinary (): Uint8Array {
    const code = this.#u8()
    this.#countValue()
    if (code === CODE.binary8) return this.#view(this.#u8())
    if (code === CODE.binary32) return this.#view(this.#u32())
    throw new AmqpDecodeError('expected a binary')
  }

  /** Skips a list or a map by its size. Its content is not checked. */
  skipListOrMap (): void {
    const code = this.#u8()
    switch (code) {
      case CODE.list0: return
      case CODE.list8: case CODE.map8: this.#take(this.#u8()); return
      case CODE.list32: case CODE.map32: this.#take(this.#u32()); return
      default: throw new AmqpDecodeError('expected a list or a map')
    }
  }

  /** Skips a value by its size. Its content is not checked. */
  skipValue (): void {
    const end = skipped(this.#bytes, this.#position, this.#limit)
    if (end === ABSENT) throw new AmqpDecodeError('the bytes end inside a value')
    this.#position = end
  }

  readValue (depth: number): AmqpValue {
    const code = this.#u8()
    if (code !== CODE.described) return this.#readAs(code, depth)
    checkDepth(depth)
    const descriptor = this.readValue(depth + 1)
    return { type: 'described', descriptor, value: this.readValue(depth + 1) }
  }

  #readAs (code: number, depth: number): AmqpValue {
    this.#countValue()
    switch (code) {
      case CODE.string8: return { type: 'string', value: this.#text(this.#u8()) }
      case CODE.string32: return { type: 'string', value: this.#text(this.#u32()) }
      case CODE.symbol8: return { type: 'symbol', value: this.#text(this.#u8()) }
      case CODE.symbol32: return { type: 'symbol', value: this.#text(this.#u32()) }
      case CODE.binary8: return { type: 'binary', value: this.#binary(this.#u8()) }
      case CODE.binary32: return { type: 'binary', value: this.#binary(this.#u32()) }
      case CODE.list0: checkDepth(depth); return EMPTY_LIST
      case CODE.list8: return { type: 'list', value: this.#list(1, depth) }
      case CODE.list32: return { type: 'list', value: this.#list(4, depth) }
      case CODE.map8: return { type: 'map', value: this.#map(1, depth) }
      case CODE.map32: return { type: 'map', value: this.#map(4, depth) }
      case CODE.array8: return { type: 'array', value: this.#array(1, depth) }
      case CODE.array32: return { type: 'array', value: this.#array(4, depth) }
      // An unknown constructor, of width -1, takes no bytes and is refused.
      default: return readFixedWidth(code, this.#bytes, this.#take(Math.max(FEWEST_BYTES[code] ?? 0, 0)))
    }
  }

  /** Reads the size of a list, map or array, makes its end the limit and returns the count. */
  #open (width: 1 | 4): number {
    const size = width === 1 ? this.#u8() : this.#u32()
    if (size < width || size > this.#limit - this.#position) {
      throw new AmqpDecodeError('a compound value has a wrong size')
    }
    this.#limit = this.#position + size
    return width === 1 ? this.#u8() : this.#u32()
  }

  /** Checks that the list, map or array ends where its size said. */
  #close (outerLimit: number): void {
    if (this.#position !== this.#limit) throw new AmqpDecodeError('a compound value is shorter than its size')
    this.#limit = outerLimit
  }

  #list (width: 1 | 4, depth: number): AmqpValue[] {
    checkDepth(depth)
    const outerLimit = this.#limit
    const count = this.#open(width)
    if (count > this.#limit - this.#position) throw new AmqpDecodeError('a list counts more elements than it has bytes')
    const values: AmqpValue[] = []
    for (let index = 0; index < count; index++) values.push(this.readValue(depth + 1))
    this.#close(outerLimit)
    return values
  }

  #map (width: 1 | 4, depth: number): Array<readonly [AmqpValue, AmqpValue]> {
    checkDepth(depth)
    const outerLimit = this.#limit
    const count = this.#open(width)
    if (count % 2 !== 0) throw new AmqpDecodeError('a map has a key without a value')
    if (count > this.#limit - this.#position) throw new AmqpDecodeError('a map counts more elements than it has bytes')
    const entries: Array<readonly [AmqpValue, AmqpValue]> = []
    for (let index = 0; index < count; index += 2) {
      const key = this.readValue(depth + 1)
      entries.push([key, this.readValue(depth + 1)])
    }
    this.#close(outerLimit)
    return entries
  }

  /** An array has one constructor, perhaps described, before its elements. */
  #array (width: 1 | 4, depth: number): AmqpValue[] {
    checkDepth(depth)
    const outerLimit = this.#limit
    const count = this.#open(width)
    const values: AmqpValue[] = []
    // Some clients write no constructor for an array without elements.
    if (count > 0 || !this.isAtEnd) {
      const start = this.#position
      const descriptors: AmqpValue[] = []
      let code = this.#u8()
      for (; code === CODE.described; code = this.#u8()) {
        checkDepth(depth + descriptors.length + 1)
        descriptors.unshift(this.readValue(depth + descriptors.length + 2))
      }
      this.#checkElementCount(code, count, this.#position - 1 - start)
      for (let index = 0; index < count; index++) {
        let value = this.#readAs(code, depth + descriptors.length + 1)
        for (const descriptor of descriptors) value = { type: 'described', descriptor, value }
        values.push(value)
      }
    }
    this.#close(outerLimit)
    return values
  }

  #checkElementCount (code: number, count: number, descriptorBytes: number): void {
    const fewest = FEWEST_BYTES[code] ?? -1
    if (fewest < 0) throw new AmqpDecodeError('an array has an unknown constructor')
    if (fewest === 0) this.#zeroWidthElementsLeft -= count
    if (this.#zeroWidthElementsLeft < 0) throw new AmqpDecodeError('too many array elements without content')
    if (count > 1) this.#repeatedDescriptorBytesLeft -= descriptorBytes * (count - 1)
    if (this.#repeatedDescriptorBytesLeft < 0) {
      throw new AmqpDecodeError('too many array elements with a long descriptor')
    }
    if (count * fewest > this.#limit - this.#position) {
      throw new AmqpDecodeError('an array counts more elements than it has bytes')
    }
  }

  #u8 (): number {
    const byte = this.#position < this.#limit ? this.#bytes[this.#position] : undefined
    if (byte === undefined) throw new AmqpDecodeError('the bytes end inside a value')
    this.#position++
    return byte
  }

  #u32 (): number {
    return this.#bytes.readUInt32BE(this.#take(4))
  }

  /** Moves past `length` bytes and returns where they start. */
  #take (length: number): number {
    const start = this.#position
    if (length > this.#limit - start) throw new AmqpDecodeError('the bytes end inside a value')
    this.#position = start + length
    return start
  }

  #view (length: number): Uint8Array {
    const start = this.#take(length)
    return this.#bytes.subarray(start, start + length)
  }

  #binary (length: number): Uint8Array {
    const view = this.#view(length)
    this.#countText(length)
    return view
  }

  #countValue (): void {
    if (--this.#valuesLeft < 0) throw new AmqpTooLargeError(`more than ${MAX_VALUES} AMQP values`)
  }

  #countText (bytes: number): void {
    this.#textBytesLeft -= bytes
    if (this.#textBytesLeft < 0) throw new AmqpTooLargeError(`more than ${MAX_TEXT_BYTES} bytes of text in AMQP values`)
  }

  #text (length: number): string {
    const start = this.#take(length)
    this.#countText(length)
    const text = this.#bytes.toString('utf8', start, start + length)
    // Bytes that are not UTF-8 become U+FFFD. A text may hold that character itself, so then the bytes are checked.
    if (text.includes('\ufffd') && !isUtf8(this.#bytes.subarray(start, start + length))) {
      throw new AmqpDecodeError('a string is not UTF-8')
    }
    return text
  }
}

function checkDepth (depth: number): void {
  if (depth > MAX_DEPTH) throw new AmqpDecodeError(`values nest deeper than ${MAX_DEPTH} levels`)
}
