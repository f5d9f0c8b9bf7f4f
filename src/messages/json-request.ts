import { MAX_FIELD_ERRORS, type FieldError } from '../api/field-error.ts'
import { pointerTo } from '../text/json-pointer.ts'
import { JsonScanner, NOT_YET, NOTHING } from '../text/json-scanner.ts'
import { afterByteOrderMark, refuseBadUtf8 } from '../text/utf8.ts'
import { MessageFormatError } from './format-error.ts'
import { LocatedScan, type ScanPointers } from './json-format-error.ts'
import { addMessage, type Destination } from './json-message.ts'
import { keyOf, MessageScan, type MessageSpan } from './message-scan.ts'
import type { WholeBodyLimits, WholeRequest } from './whole-request.ts'
import { costOf, type Work } from './work.ts'

/** The end of every error that means "these are not messages at all". */
const ELSEWHERE =
  'Other bodies go to .../messages/raw (the body is one message) or .../messages/lines (each line is one)'

const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const COMMA = 0x2c

// What a step takes beside the scan of its bytes.
const UNITS_OF_STEP = 100

/** What is looked at after white space. */
type Looking = 'body' | 'first key' | 'after value' | 'messages' | 'first message' | 'after message' | 'end' | 'over'
type State = 'start' | 'other body' | 'key' | 'other value' | 'message' | Looking

/**
 * A JSON body `{"messages": [...]}`: first all of it is scanned, then its messages are made, one by one. Both go on in
 * steps of a bounded amount of work.
 */
export class JsonRequest implements WholeRequest {
  readonly #body: Buffer
  readonly #limits: WholeBodyLimits
  readonly #scanner: JsonScanner
  readonly #message: MessageScan
  readonly #located: LocatedScan
  readonly #spans: MessageSpan[] = []
  readonly #errors: FieldError[] = []
  #state: State = 'start'
  #hasMessages = false
  #added = 0

  constructor (body: Buffer, limits: WholeBodyLimits) {
    this.#body = body
    this.#limits = limits
    this.#scanner = new JsonScanner(body, afterByteOrderMark(body))
    this.#message = new MessageScan(this.#scanner, limits)
    this.#located = new LocatedScan(body, () => this.#pointers)
  }

  get count (): number {
    return this.#spans.length
  }

  scan (work: Work): boolean {
    return this.#located.step(work, () => this.#scan(work))
  }

  get errors (): readonly FieldError[] {
    return this.#errors
  }

  addTo (to: Omit<Destination, 'limits'>): readonly FieldError[] | undefined {
    const { work } = to
    const bounded = { ...to, limits: this.#limits }
    for (; this.#added < this.#spans.length && this.#errors.length < MAX_FIELD_ERRORS; this.#added++) {
      if (work.units <= 0) return undefined
      const span = this.#spans[this.#added]
      if (span === undefined) break
      work.units -= costOf(span)
      try {
        addMessage(this.#body, span, this.#added, `/messages/${this.#added}`, bounded)
      } catch (error) {
        if (!(error instanceof MessageFormatError)) throw error
        this.#errors.push({ pointer: error.pointer, message: error.message })
      }
    }
    return this.#errors
  }

  #scan (work: Work): boolean {
    let until = this.#scanner.at + work.units
    try {
      while (!this.#isOver && this.#scanner.at < until && this.#step(until)) until -= UNITS_OF_STEP
      return this.#isOver
    } finally {
      work.units = until - this.#scanner.at
    }
  }

  get #isOver (): boolean {
    return this.#state === 'over' || this.#spans.length > this.#limits.maxMessages
  }

  // Returns false when `until` was reached in the middle of a step.
  #step (until: number): boolean {
    switch (this.#state) {
      case 'start':
        refuseBadUtf8(this.#body)
        this.#state = 'body'
        return true
      case 'other body':
        if (!this.#scanner.passValue(until)) return false
        this.#errors.push({ pointer: '', message: 'must be an object with messages' })
        this.#require('is required')
        this.#state = 'end'
        return true
      case 'key':
        return this.#passKey(until)
      case 'other value':
        if (!this.#scanner.passValue(until)) return false
        this.#state = 'after value'
        return true
      case 'message': {
        const span = this.#message.scan(until)
        if (span === undefined) return false
        this.#spans.push(span)
        this.#state = 'after message'
        return true
      }
      default: {
        const byte = this.#scanner.next(until)
        if (byte !== NOT_YET) this.#look(byte, this.#state)
        return byte !== NOT_YET
      }
    }
  }

  // At what comes after white space.
  #look (byte: number, state: Looking): void {
    switch (state) {
      case 'body':
        this.#beginBody(byte)
        break
      case 'first key':
        if (byte === CLOSE_OBJECT) this.#endObject()
        else this.#state = 'key'
        break
      case 'after value':
        if (byte === CLOSE_OBJECT) this.#endObject()
        else this.#goOn('key', 'a comma or }')
        break
      case 'messages':
        this.#beginMessages(byte)
        break
      case 'first message':
        if (byte === CLOSE_ARRAY) this.#endArray()
        else this.#state = 'message'
        break
      case 'after message':
        if (byte === CLOSE_ARRAY) this.#endArray()
        else this.#goOn('message', 'a comma or ]')
        break
      case 'end': case 'over':
        if (byte !== NOTHING) throw this.#scanner.unexpected('the end of the body')
        this.#state = 'over'
    }
  }

  #goOn (state: State, expected: string): void {
    this.#scanner.pass(COMMA, expected)
    this.#state = state
  }

  #beginBody (byte: number): void {
    if (byte === NOTHING) {
      this.#require('the body is empty')
      this.#state = 'end'
    } else if (byte === OPEN_OBJECT) {
      this.#scanner.at++
      this.#state = 'first key'
    } else {
      this.#state = 'other body'
    }
  }

  #passKey (until: number): boolean {
    const span = this.#scanner.passKey(until)
    if (span === undefined) return false
    const key = keyOf(this.#body, span.start, span.end)
    this.#state = 'other value'
    if (key !== 'messages') {
      this.#fault(pointerTo('', key), 'is unknown')
    } else if (this.#hasMessages) {
      this.#fault(pointerTo('', key), 'is given more than once')
    } else {
      this.#hasMessages = true
      this.#state = 'messages'
    }
    return true
  }

  #beginMessages (byte: number): void {
    if (byte === OPEN_ARRAY) {
      this.#scanner.at++
      this.#state = 'first message'
    } else {
      this.#fault('/messages', 'must be an array of messages')
      this.#state = 'other value'
    }
  }

  #endArray (): void {
    this.#scanner.at++
    this.#state = 'after value'
  }

  #endObject (): void {
    this.#scanner.at++
    this.#state = 'end'
    if (!this.#hasMessages) this.#require('is required')
  }

  // The first of the errors, since it explains the others.
  #require (message: string): void {
    this.#errors.unshift({ pointer: '/messages', message: `${message}. ${ELSEWHERE}` })
    if (this.#errors.length > MAX_FIELD_ERRORS) this.#errors.pop()
  }

  #fault (pointer: string, message: string): void {
    if (this.#errors.length < MAX_FIELD_ERRORS) this.#errors.push({ pointer, message })
  }

  get #pointers (): ScanPointers {
    if (this.#state !== 'message') return { message: '', part: '' }
    const message = `/messages/${this.#spans.length}`
    return { message, part: message + this.#message.pointer }
  }
}
