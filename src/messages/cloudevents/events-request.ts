import { MAX_FIELD_ERRORS, type FieldError } from '../../api/field-error.ts'
import { pointerTo } from '../../text/json-pointer.ts'
import { JsonScanner, NOT_YET, NOTHING } from '../../text/json-scanner.ts'
import { afterByteOrderMark, refuseBadUtf8 } from '../../text/utf8.ts'
import { MessageFormatError } from '../format-error.ts'
import { LocatedScan, type ScanPointers } from '../json-format-error.ts'
import type { Destination } from '../json-message.ts'
import { refuseSurelyLarge } from '../surely-large.ts'
import { MessageScan, type MessageSpan } from '../message-scan.ts'
import type { WholeBodyLimits, WholeRequest } from '../whole-request.ts'
import { costOf, type Work } from '../work.ts'
import { addEvent } from './event.ts'
import { DATA_KEYS, parseEvent } from './json-event.ts'

const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const COMMA = 0x2c
// What an event takes beside the scan of its bytes.
const UNITS_OF_EVENT = 100

/** What a body of events is, beside its bytes. */
export interface EventsForm {
  /** Whether it is an array of events, or one event. */
  readonly isBatch: boolean
  /** The publishing id of the first event; each following one has the next id. */
  readonly firstPublishingId: number | undefined
}

/** What is looked at after white space. */
type Looking = 'body' | 'first' | 'after event' | 'end' | 'over'
type State = 'start' | 'event' | Looking

/** A body of the JSON format for CloudEvents, or of its batch format. */
export class EventsRequest implements WholeRequest {
  readonly #body: Buffer
  readonly #limits: WholeBodyLimits
  readonly #form: EventsForm
  readonly #scanner: JsonScanner
  readonly #event: MessageScan
  readonly #located: LocatedScan
  readonly #spans: MessageSpan[] = []
  readonly #errors: FieldError[] = []
  #state: State = 'start'
  #added = 0

  constructor (body: Buffer, limits: WholeBodyLimits, form: EventsForm) {
    this.#body = body
    this.#limits = limits
    this.#form = form
    this.#scanner = new JsonScanner(body, afterByteOrderMark(body))
    this.#event = new MessageScan(this.#scanner, limits, DATA_KEYS)
    this.#located = new LocatedScan(body, () => this.#pointers)
  }

  get count (): number {
    return this.#spans.length
  }

  get errors (): readonly FieldError[] {
    return this.#errors
  }

  scan (work: Work): boolean {
    return this.#located.step(work, () => this.#scan(work))
  }

  addTo (to: Omit<Destination, 'limits'>): readonly FieldError[] | undefined {
    const { firstPublishingId } = this.#form
    const destination = { ...to, frameMaxBytes: this.#limits.frameMaxBytes }
    for (; this.#added < this.#spans.length && this.#errors.length < MAX_FIELD_ERRORS; this.#added++) {
      if (to.work.units <= 0) return undefined
      const index = this.#added
      const span = this.#spans[index]
      if (span === undefined) break
      to.work.units -= costOf(span)
      const pointer = this.#pointer(index)
      const publishingId = firstPublishingId === undefined ? undefined : firstPublishingId + index
      const pointerOf = (name: string): string => pointerTo(pointer, name)
      try {
        this.#refuseLargeData(span, index)
        addEvent(parseEvent(this.#body, span, pointer), destination, { index, publishingId, pointerOf })
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
      while (!this.#isOver && this.#scanner.at < until && this.#step(until)) until -= UNITS_OF_EVENT
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
      case 'event': {
        const span = this.#event.scan(until)
        if (span === undefined) return false
        this.#spans.push(span)
        this.#state = this.#form.isBatch ? 'after event' : 'end'
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
        this.#begin(byte)
        break
      case 'first':
        if (byte === CLOSE_ARRAY) this.#endArray()
        else this.#state = 'event'
        break
      case 'after event':
        if (byte === CLOSE_ARRAY) {
          this.#endArray()
        } else {
          this.#scanner.pass(COMMA, 'a comma or ]')
          this.#state = 'event'
        }
        break
      case 'end': case 'over':
        if (byte !== NOTHING) throw this.#scanner.unexpected('the end of the body')
        this.#state = 'over'
    }
  }

  #begin (byte: number): void {
    if (byte === NOTHING) {
      this.#errors.push({ pointer: '', message: 'is empty' })
      this.#state = 'end'
    } else if (!this.#form.isBatch) {
      this.#state = 'event'
    } else if (byte === OPEN_ARRAY) {
      this.#scanner.at++
      this.#state = 'first'
    } else {
      throw new MessageFormatError('', 'must be an array of events')
    }
  }

  // What is too large in any case is not parsed first.
  #refuseLargeData ({ bodyStart, bodyEnd, bodyKey }: MessageSpan, index: number): void {
    const data = this.#body.subarray(bodyStart, bodyEnd)
    refuseSurelyLarge(index, data, bodyKey === 'data_base64' ? 'base64' : 'text', this.#limits.frameMaxBytes)
  }

  #endArray (): void {
    this.#scanner.at++
    this.#state = 'end'
  }

  #pointer (index: number): string {
    return this.#form.isBatch ? `/${index}` : ''
  }

  get #pointers (): ScanPointers {
    if (this.#state !== 'event') return { message: '', part: '' }
    const message = this.#pointer(this.#spans.length)
    return { message, part: message + this.#event.pointer }
  }
}
