import { NOT_YET, type JsonKey, type JsonScanner } from '../text/json-scanner.ts'
import { pointerTo } from '../text/json-pointer.ts'
import { MessageFormatError } from './format-error.ts'

/** Bounds of one message. */
export interface MessageLimits {
  /** Most JSON values in the parts that are parsed. */
  readonly maxMessageValues: number
  /** The largest frame: no message can be larger. */
  readonly frameMaxBytes: number
}

/** Most bytes of a message's JSON without its body. More than any use of properties needs. */
export const MAX_ENVELOPE_BYTES = 1024 * 1024

/** Where a message is in the bytes of a request, and what has to be known before anything is made of it. */
export interface MessageSpan {
  readonly start: number
  readonly end: number
  /** The key of its body; undefined when it has none. */
  readonly bodyKey: string | undefined
  /** The JSON of its body; -1 when it has none. */
  readonly bodyStart: number
  readonly bodyEnd: number
  /** How many JSON values the body has. */
  readonly bodyValues: number
  /** How many JSON values all else has. */
  readonly values: number
  /** Whether a string of the body has an escape. */
  readonly hasEscapedBody: boolean
  /** Whether the body, or all else, has a number that JSON.parse may change. */
  readonly hasDoubtfulBody: boolean
  readonly isDoubtful: boolean
  readonly isObject: boolean
  /** Whether it is an object with a body and nothing else. */
  readonly isBodyOnly: boolean
}

const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const COMMA = 0x2c
// A longer key is cut where it is shown.
const MAX_SHOWN_KEY_BYTES = 200

/** Scans one message after the other with the scanner of their request. */
export class MessageScan {
  readonly #scanner: JsonScanner
  readonly #limits: MessageLimits
  readonly #bodyKeys: readonly string[]
  #state: 'start' | 'first key' | 'key' | 'before value' | 'value' | 'other' | 'after value' = 'start'
  #key = ''
  readonly #seen: string[] = []
  #members = 0
  #start = 0
  #bodyKey: string | undefined
  #bodyStart = -1
  #bodyEnd = -1
  #bodyValues = 0
  #values = 0
  #hasDoubtfulBody = false
  #hasEscapedBody = false
  #isDoubtful = false

  /** @param bodyKeys what the body may be called. It has one of these names. */
  constructor (scanner: JsonScanner, limits: MessageLimits, bodyKeys = BODY_KEYS) {
    this.#scanner = scanner
    this.#limits = limits
    this.#bodyKeys = bodyKeys
  }

  /** Where in the message the scan is, as a JSON pointer within it. */
  get pointer (): string {
    return this.#state === 'value' ? pointerTo('', this.#key) : ''
  }

  /**
   * Scans up to the end of the message, or up to `until`: then it returns undefined, and the next call continues.
   *
   * @throws JsonFault
   * @throws MessageFormatError with a pointer within the message
   */
  scan (until: number): MessageSpan | undefined {
    const scanner = this.#scanner
    for (;;) {
      switch (this.#state) {
        case 'key': {
          const span = scanner.passKey(until)
          if (span === undefined) return undefined
          this.#beginMember(span)
          break
        }
        case 'value':
          if (!scanner.passValue(until)) return undefined
          this.#endMember()
          break
        case 'other':
          if (!scanner.passValue(until)) return undefined
          return this.#end()
        default: {
          const byte = scanner.next(until)
          if (byte === NOT_YET || scanner.at >= until) return undefined
          if (this.#look(byte, this.#state)) return this.#end()
        }
      }
    }
  }

  // At what comes after white space. Returns whether that is the end of the message.
  #look (byte: number, state: 'start' | 'first key' | 'before value' | 'after value'): boolean {
    if (state === 'start') {
      this.#begin(byte)
    } else if (state === 'before value') {
      this.#beginValue()
    } else {
      if (byte === CLOSE_OBJECT) return true
      if (state === 'after value') this.#scanner.pass(COMMA, 'a comma or }')
      this.#state = 'key'
    }
    return false
  }

  #begin (byte: number): void {
    this.#start = this.#scanner.at
    this.#bodyKey = undefined
    this.#bodyStart = this.#bodyEnd = -1
    this.#members = this.#values = this.#bodyValues = 0
    this.#isDoubtful = this.#hasDoubtfulBody = false
    if (this.#seen.length > 0) this.#seen.length = 0
    this.#state = byte === OPEN_OBJECT ? 'first key' : 'other'
    if (byte === OPEN_OBJECT) this.#scanner.at++
  }

  #beginMember ({ start, end }: JsonKey): void {
    this.#key = keyOf(this.#scanner.bytes, start, end)
    if (this.#seen.includes(this.#key)) {
      throw new MessageFormatError(pointerTo('', this.#key), 'is given more than once')
    }
    // More members than any message can have are counted as values and need not be told apart.
    if (this.#seen.length < MAX_MEMBERS) this.#seen.push(this.#key)
    this.#members++
    if (this.#bodyKey !== undefined && this.#bodyKeys.includes(this.#key)) {
      throw new MessageFormatError(pointerTo('', this.#key), `does not go together with ${this.#bodyKey}`)
    }
    this.#state = 'before value'
  }

  #beginValue (): void {
    const scanner = this.#scanner
    if (this.#bodyKeys.includes(this.#key)) {
      this.#bodyKey = this.#key
      this.#bodyStart = scanner.at
    }
    scanner.values = 0
    scanner.hasDoubtfulNumber = scanner.hasEscape = false
    this.#state = 'value'
  }

  #endMember (): void {
    const scanner = this.#scanner
    if (this.#key === this.#bodyKey) {
      this.#bodyEnd = scanner.at
      this.#bodyValues = scanner.values
      this.#hasDoubtfulBody = scanner.hasDoubtfulNumber
      this.#hasEscapedBody = scanner.hasEscape
    } else {
      this.#values += scanner.values
      if (scanner.hasDoubtfulNumber) this.#isDoubtful = true
      refuseManyValues(this.#values, this.#limits, '')
    }
    this.#state = 'after value'
  }

  #end (): MessageSpan {
    const scanner = this.#scanner
    const isObject = this.#state !== 'other'
    if (isObject) scanner.at++
    this.#state = 'start'
    if (isObject && scanner.at - this.#start - (this.#bodyEnd - this.#bodyStart) > MAX_ENVELOPE_BYTES) {
      throw new MessageFormatError('', `has more than ${MAX_ENVELOPE_BYTES} bytes beside its body`)
    }
    return {
      start: this.#start,
      end: scanner.at,
      bodyKey: this.#bodyKey,
      bodyStart: this.#bodyStart,
      bodyEnd: this.#bodyEnd,
      bodyValues: this.#bodyValues,
      values: this.#values,
      hasEscapedBody: this.#hasEscapedBody,
      hasDoubtfulBody: this.#hasDoubtfulBody,
      isDoubtful: this.#isDoubtful,
      isObject,
      isBodyOnly: this.#members === 1 && this.#bodyEnd >= 0
    }
  }
}

const MAX_MEMBERS = 32
const BODY_KEYS: readonly string[] = ['body']

/** @throws MessageFormatError at `pointer` */
export function refuseManyValues (values: number, { maxMessageValues }: MessageLimits, pointer: string): void {
  if (values <= maxMessageValues) return
  throw new MessageFormatError(
    pointer,
    `has more JSON values than PUBLISH_MAX_MESSAGE_VALUES (${maxMessageValues})`
  )
}

/** Making a string takes several times as long as comparing bytes. */
const USUAL_KEYS: ReadonlyMap<number, { readonly key: string, readonly bytes: Uint8Array }> = new Map(
  ['body', 'properties', 'filterValue', 'bodyEncoding', 'applicationProperties'].map((key) => [
    key.length, { key, bytes: Buffer.from(key) }
  ])
)

/** A key of the scanned text, without its quotes, as JSON.parse reads it. A very long one is cut. */
export function keyOf (bytes: Buffer, start: number, end: number): string {
  const usual = USUAL_KEYS.get(end - start)
  if (usual !== undefined && isAt(bytes, start, usual.bytes)) return usual.key
  if (end - start > MAX_SHOWN_KEY_BYTES) return `${bytes.toString('utf8', start, start + MAX_SHOWN_KEY_BYTES)}...`
  const text = bytes.toString('utf8', start, end)
  return text.includes('\\') ? String(JSON.parse(`"${text}"`)) : text
}

function isAt (bytes: Buffer, start: number, key: Uint8Array): boolean {
  for (let index = 0; index < key.length; index++) if (bytes[start + index] !== key[index]) return false
  return true
}
