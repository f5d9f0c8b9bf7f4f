import { MAX_FIELD_ERRORS, type FieldError } from '../api/field-error.ts'
import { JsonFault } from '../text/json-fault.ts'
import { pointerTo } from '../text/json-pointer.ts'
import { JsonScanner } from '../text/json-scanner.ts'
import { afterByteOrderMark, refuseBadUtf8 } from '../text/utf8.ts'
import { MessageFormatError } from './format-error.ts'
import { jsonFormatError } from './json-format-error.ts'
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
const NOTHING = -1

// What a step takes beside the scan of its bytes.
const UNITS_OF_STEP = 100

type State =
  | 'start' | 'other body' | 'first member' | 'member' | 'other member' | 'after member'
  | 'first message' | 'message' | 'after message' | 'end'

/**
 * A JSON body `{"messages": [...]}`: first all of it is scanned, then its messages are made, one by one. Both go on in
 * steps of a bounded amount of work.
 */
export class JsonRequest implements WholeRequest {
  readonly #body: Buffer
  readonly #limits: WholeBodyLimits
  readonly #scanner: JsonScanner
  readonly #message: MessageScan
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
  }

  get count (): number {
    return this.#spans.length
  }

  scan (work: Work): boolean {
    if (this.#state === 'start') this.#start()
    const start = this.#scanner.at
    let until = start + work.units
    try {
      let isOver = false
      while (!isOver && this.#scanner.at < until && this.#step(until)) {
        until -= UNITS_OF_STEP
        isOver = this.#isOver()
      }
      work.units = until - this.#scanner.at
      return isOver
    } catch (error) {
      throw this.#located(error)
    }
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

  #start (): void {
    try {
      refuseBadUtf8(this.#body)
    } catch (error) {
      throw this.#located(error)
    }
    const first = this.#scanner.next()
    if (first === NOTHING) {
      this.#require('the body is empty')
      this.#state = 'end'
    } else if (first === OPEN_OBJECT) {
      this.#scanner.at++
      this.#state = 'first member'
    } else {
      this.#state = 'other body'
    }
  }

  #isOver (): boolean {
    if (this.#state !== 'end') return this.#spans.length > this.#limits.maxMessages
    if (this.#scanner.next() !== NOTHING) throw this.#scanner.unexpected('the end of the body')
    return true
  }

  // Returns false when `until` was reached in the middle of a step.
  #step (until: number): boolean {
    const scanner = this.#scanner
    switch (this.#state) {
      case 'other body':
        if (!scanner.passValue(until)) return false
        this.#errors.push({ pointer: '', message: 'must be an object with messages' })
        this.#require('is required')
        this.#state = 'end'
        return true
      case 'first member':
        if (scanner.next() === CLOSE_OBJECT) this.#endObject()
        else this.#beginMember()
        return true
      case 'member':
        this.#beginMember()
        return true
      case 'other member':
        if (!scanner.passValue(until)) return false
        this.#state = 'after member'
        return true
      case 'after member':
        if (scanner.next() === CLOSE_OBJECT) this.#endObject()
        else {
          scanner.pass(COMMA, 'a comma or }')
          this.#state = 'member'
        }
        return true
      case 'first message':
        if (scanner.next() === CLOSE_ARRAY) this.#endArray()
        else this.#state = 'message'
        return true
      case 'message': {
        const span = this.#message.scan(until)
        if (span === undefined) return false
        this.#spans.push(span)
        this.#state = 'after message'
        return true
      }
      case 'after message':
        if (scanner.next() === CLOSE_ARRAY) this.#endArray()
        else {
          scanner.pass(COMMA, 'a comma or ]')
          this.#state = 'message'
        }
        return true
      case 'start': case 'end':
        return true
    }
  }

  #beginMember (): void {
    const scanner = this.#scanner
    const { start, end } = scanner.passKey()
    const key = keyOf(this.#body, start, end)
    const pointer = pointerTo('', key)
    this.#state = 'other member'
    if (key !== 'messages') {
      this.#fault(pointer, 'is unknown')
    } else if (this.#hasMessages) {
      this.#fault(pointer, 'is given more than once')
    } else {
      this.#hasMessages = true
      if (scanner.next() === OPEN_ARRAY) {
        scanner.at++
        this.#state = 'first message'
      } else {
        this.#fault(pointer, 'must be an array of messages')
      }
    }
  }

  #endArray (): void {
    this.#scanner.at++
    this.#state = 'after member'
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

  #located (error: unknown): unknown {
    const isInMessage = this.#state === 'message'
    const pointer = isInMessage ? `/messages/${this.#spans.length}` : ''
    if (error instanceof JsonFault) {
      return jsonFormatError(error, this.#body, pointer + (isInMessage ? this.#message.pointer : ''), pointer)
    }
    return error instanceof MessageFormatError ? error.within(pointer) : error
  }
}
