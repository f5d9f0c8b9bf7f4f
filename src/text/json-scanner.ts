import { isWhiteSpace, JsonFault, unexpected } from './json-fault.ts'
import { afterEscape, afterLiteral, afterNumber, afterWhiteSpace, isDoubtful, SPECIAL } from './json-tokens.ts'

/** What `next` returns at the end of the text. */
export const NOTHING = -1
/** What `next` returns when it did not get past the white space. */
export const NOT_YET = -2

/** How deep a JSON text may nest. Many parsers of readers end at this depth or before it. */
export const MAX_JSON_DEPTH = 1000

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d

/** Where a key is, without its quotes. */
export interface JsonKey { readonly start: number, readonly end: number }

/** What has to come next within a value. */
type Expected = 'value' | 'first element' | 'first key' | 'key' | 'in key' | 'colon' | 'after value' | 'in string'

/**
 * Walks over JSON text (RFC 8259) and makes nothing of it: what JSON.parse accepts is accepted, except for what nests
 * too deeply and for numbers of very many digits. White space, keys and values of any size are passed in steps of a
 * bounded number of bytes: a step ends soon after the position `until`.
 */
export class JsonScanner {
  readonly bytes: Buffer
  readonly end: number
  /** The position. */
  at: number
  /** The number of values that were passed: scalars, objects and arrays. */
  values = 0
  /** Whether a number was passed that JSON.parse may change. */
  hasDoubtfulNumber = false
  /** Whether a string was passed that has an escape: its bytes are then not those of the text. */
  hasEscape = false
  #expected: Expected = 'value'
  // Of the last key.
  #keyStart = 0
  #keyEnd = 0
  // For each open bracket, from outside: whether it is an object.
  readonly #isObject: boolean[] = []
  #depth = 0

  constructor (bytes: Buffer, start = 0, end = bytes.length) {
    this.bytes = bytes
    this.at = start
    this.end = end
  }

  /** Passes white space and returns the byte after it; `NOTHING` at the end; `NOT_YET` when `until` comes before. */
  next (until = Infinity): number {
    const { bytes, end } = this
    if (this.at < end && (bytes[this.at] ?? 0) > 0x20) return bytes[this.at] ?? NOTHING
    this.at = afterWhiteSpace(bytes, this.at, Math.min(until, end))
    if (this.at >= end) return NOTHING
    return this.at >= until && isWhiteSpace(bytes[this.at]) ? NOT_YET : bytes[this.at] ?? NOTHING
  }

  /** Passes white space and this byte. @throws JsonFault when another byte is there */
  pass (byte: number, expected: string): void {
    if (this.next() !== byte) throw this.unexpected(expected)
    this.at++
  }

  /**
   * Passes a key and the colon after it.
   *
   * @returns where the key is, without its quotes; undefined when `until` came before: the next call continues there
   * @throws JsonFault
   */
  passKey (): JsonKey
  passKey (until: number): JsonKey | undefined
  passKey (until = Infinity): JsonKey | undefined {
    if (this.#expected === 'value') this.#expected = 'key'
    return this.passValue(until) ? { start: this.#keyStart, end: this.#keyEnd } : undefined
  }

  /** The fault of what is at the position. */
  unexpected (expected: string): JsonFault {
    return unexpected(this.bytes, this.at, this.end, expected)
  }

  /**
   * Passes white space and a value. When it returns false, `until` was reached before the end of the value, and the
   * next call continues there.
   *
   * @throws JsonFault
   */
  passValue (until: number): boolean {
    while (this.at < until) {
      if (this.#advance(until)) {
        this.#expected = 'value'
        return true
      }
    }
    return false
  }

  // Passes white space, a token, or a part of a string. Returns whether that was the end of the value, or of the key
  // that `passKey` passes.
  #advance (until: number): boolean {
    const byte = this.at < this.end ? this.bytes[this.at] ?? 0 : 0
    if (byte > 0x20 || this.#expected === 'in string' || this.#expected === 'in key') return this.#step(byte, until)
    this.#passWhiteSpace(until)
    return false
  }

  #passWhiteSpace (until: number): void {
    this.at = afterWhiteSpace(this.bytes, this.at, Math.min(until, this.end))
    if (this.at < until && (this.at >= this.end || (this.bytes[this.at] ?? 0) <= 0x20)) throw this.#fault()
  }

  #step (byte: number, until: number): boolean {
    switch (this.#expected) {
      case 'value': return this.#beginValue(byte)
      case 'after value': return this.#afterValue(byte)
      case 'in string': return this.#passString(until)
      case 'key': return this.#beginKey(byte)
      case 'in key': return this.#passRestOfKey(until)
      case 'first key': return byte === CLOSE_OBJECT ? this.#close() : this.#beginKey(byte)
      case 'colon': return this.#passColon()
      case 'first element': return byte === CLOSE_ARRAY ? this.#close() : this.#beginValue(byte)
    }
  }

  #beginValue (byte: number): boolean {
    this.values++
    if (byte === QUOTE) {
      this.at++
      this.#expected = 'in string'
      return false
    }
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      this.#open(byte === OPEN_OBJECT)
      return false
    }
    this.at = this.#afterScalar(this.at, byte)
    this.#expected = 'after value'
    return this.#depth === 0
  }

  #afterValue (byte: number): boolean {
    const isInObject = this.#isObject[this.#depth - 1] === true
    if (byte === (isInObject ? CLOSE_OBJECT : CLOSE_ARRAY)) return this.#close()
    if (byte !== COMMA) throw this.#fault()
    this.at++
    this.#expected = isInObject ? 'key' : 'value'
    return false
  }

  #passString (until: number): boolean {
    const after = this.#afterString(this.at, until)
    if (after < 0) return false
    this.at = after
    this.#expected = 'after value'
    return this.#depth === 0
  }

  #beginKey (byte: number): boolean {
    if (byte !== QUOTE) throw this.#fault()
    this.#keyStart = ++this.at
    this.#expected = 'in key'
    return false
  }

  #passRestOfKey (until: number): boolean {
    const after = this.#afterString(this.at, until)
    if (after < 0) return false
    this.#keyEnd = after - 1
    this.at = after
    if (this.bytes[after] === COLON && after < this.end) return this.#passColon()
    this.#expected = 'colon'
    return false
  }

  #passColon (): boolean {
    this.pass(COLON, 'a colon')
    this.#expected = 'value'
    return this.#depth === 0
  }

  #open (isObject: boolean): void {
    if (this.#depth === MAX_JSON_DEPTH) {
      throw new JsonFault(this.at, `must not nest deeper than ${MAX_JSON_DEPTH} levels`, true)
    }
    this.#isObject[this.#depth] = isObject
    this.#depth++
    this.at++
    this.#expected = isObject ? 'first key' : 'first element'
  }

  // Returns whether that was the outermost bracket.
  #close (): boolean {
    this.#depth--
    this.at++
    this.#expected = 'after value'
    return this.#depth === 0
  }

  #afterScalar (at: number, byte: number): number {
    if (byte !== 0x2d && (byte < 0x30 || byte > 0x39)) return afterLiteral(this.bytes, at, this.end)
    const after = afterNumber(this.bytes, at, this.end)
    if (isDoubtful(this.bytes, at, after)) this.hasDoubtfulNumber = true
    return after
  }

  // The position after the closing quote. -1 when `until` comes first: `at` is then where to continue.
  #afterString (start: number, until: number): number {
    const { bytes, end } = this
    const stop = Math.min(until, end)
    let at = start
    for (;;) {
      while (at < stop && SPECIAL[bytes[at] ?? 0] === 0) at++
      if (at >= stop) {
        if (at >= end) throw new JsonFault(end, 'it ends in a string')
        this.at = at
        return -1
      }
      const byte = bytes[at] ?? 0
      if (byte === QUOTE) return at + 1
      if (byte < 0x20) {
        const code = byte.toString(16).toUpperCase().padStart(4, '0')
        throw new JsonFault(at, `a string has a control character (U+${code}) that is not escaped`)
      }
      this.hasEscape = true
      at = afterEscape(bytes, at, end)
    }
  }

  #fault (): JsonFault {
    switch (this.#expected) {
      case 'first key': return this.unexpected('a key in double quotes or }')
      case 'key': return this.unexpected('a key in double quotes')
      case 'colon': return this.unexpected('a colon')
      case 'after value':
        return this.unexpected(this.#isObject[this.#depth - 1] === true ? 'a comma or }' : 'a comma or ]')
      default: return this.unexpected('a value')
    }
  }
}
