import { MAX_FIELD_ERRORS, type FieldError } from '../../api/field-error.ts'
import { JsonFault } from '../../text/json-fault.ts'
import { pointerTo } from '../../text/json-pointer.ts'
import { JsonScanner } from '../../text/json-scanner.ts'
import { afterByteOrderMark, refuseBadUtf8 } from '../../text/utf8.ts'
import { MessageFormatError } from '../format-error.ts'
import { jsonFormatError } from '../json-format-error.ts'
import type { Destination } from '../json-message.ts'
import { MessageScan, type MessageSpan } from '../message-scan.ts'
import type { WholeBodyLimits, WholeRequest } from '../whole-request.ts'
import { costOf, type Work } from '../work.ts'
import { addEvent } from './event.ts'
import { DATA_KEYS, parseEvent } from './json-event.ts'

const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const COMMA = 0x2c
const NOTHING = -1
// What an event takes beside the scan of its bytes.
const UNITS_OF_EVENT = 100

/** What a body of events is, beside its bytes. */
export interface EventsForm {
  /** Whether it is an array of events, or one event. */
  readonly isBatch: boolean
  /** The publishing id of the first event; each following one has the next id. */
  readonly firstPublishingId: number | undefined
}

type State = 'start' | 'first' | 'event' | 'after event' | 'end'

/** A body of the JSON format for CloudEvents, or of its batch format. */
export class EventsRequest implements WholeRequest {
  readonly #body: Buffer
  readonly #limits: WholeBodyLimits
  readonly #form: EventsForm
  readonly #scanner: JsonScanner
  readonly #event: MessageScan
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
  }

  get count (): number {
    return this.#spans.length
  }

  get errors (): readonly FieldError[] {
    return this.#errors
  }

  scan (work: Work): boolean {
    let until = this.#scanner.at + work.units
    try {
      while (this.#state !== 'end' && this.#spans.length <= this.#limits.maxMessages) {
        if (this.#scanner.at >= until || !this.#step(until)) {
          work.units = 0
          return false
        }
        until -= UNITS_OF_EVENT
      }
      if (this.#state === 'end' && this.#scanner.next() !== NOTHING) {
        throw this.#scanner.unexpected('the end of the body')
      }
    } catch (error) {
      throw this.#located(error)
    }
    work.units = until - this.#scanner.at
    return true
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
        addEvent(parseEvent(this.#body, span, pointer), destination, { index, publishingId, pointerOf })
      } catch (error) {
        if (!(error instanceof MessageFormatError)) throw error
        this.#errors.push({ pointer: error.pointer, message: error.message })
      }
    }
    return this.#errors
  }

  // Returns false when `until` was reached in the middle of a step.
  #step (until: number): boolean {
    const scanner = this.#scanner
    switch (this.#state) {
      case 'start': return this.#start()
      case 'first':
        if (scanner.next() === CLOSE_ARRAY) this.#endArray()
        else this.#state = 'event'
        return true
      case 'event': {
        const span = this.#event.scan(until)
        if (span === undefined) return false
        this.#spans.push(span)
        this.#state = this.#form.isBatch ? 'after event' : 'end'
        return true
      }
      case 'after event':
        if (scanner.next() === CLOSE_ARRAY) this.#endArray()
        else {
          scanner.pass(COMMA, 'a comma or ]')
          this.#state = 'event'
        }
        return true
      case 'end': return true
    }
  }

  #start (): boolean {
    refuseBadUtf8(this.#body)
    const first = this.#scanner.next()
    if (first === NOTHING) {
      this.#errors.push({ pointer: '', message: 'is empty' })
      this.#state = 'end'
    } else if (!this.#form.isBatch) {
      this.#state = 'event'
    } else if (first === OPEN_ARRAY) {
      this.#scanner.at++
      this.#state = 'first'
    } else {
      throw new MessageFormatError('', 'must be an array of events')
    }
    return true
  }

  #endArray (): void {
    this.#scanner.at++
    this.#state = 'end'
  }

  #pointer (index: number): string {
    return this.#form.isBatch ? `/${index}` : ''
  }

  #located (error: unknown): unknown {
    const pointer = this.#state === 'event' ? this.#pointer(this.#spans.length) : ''
    if (error instanceof JsonFault) {
      return jsonFormatError(error, this.#body, pointer + (this.#state === 'event' ? this.#event.pointer : ''), pointer)
    }
    return error instanceof MessageFormatError ? error.within(pointer) : error
  }
}
