import { Ajv } from 'ajv'
import { describeSchemaError } from '../api/schema-error.ts'
import { refuseUnsendable, type MessageBatch } from '../streams/index.ts'
import { findRounded } from '../text/json-numbers.ts'
import { JsonScanner } from '../text/json-scanner.ts'
import type { FilterValue } from './filter-value.ts'
import { MessageFormatError } from './format-error.ts'
import { addJsonLine } from './json-line.ts'
import { refuseSurelyLarge } from './surely-large.ts'
import { refuseManyValues, type MessageLimits, type MessageSpan } from './message-scan.ts'
import type { PublishingIds } from './publishing-ids.ts'
import { MessageWrite } from './schemas.ts'
import type { TraceContext } from './trace-context.ts'
import { parseMessage, type JsonBody, type ParsedMessage } from './write-json.ts'
import { UNITS_OF_VALUE, type Work } from './work.ts'

/** Where messages of a request go, and what bounds them. */
export interface Destination {
  readonly batch: MessageBatch
  readonly ids: PublishingIds
  readonly limits: MessageLimits
  readonly work: Work
  /** Of the messages without a value of their own. */
  readonly filterValue?: FilterValue | undefined
  /** Of the messages without a context of their own. */
  readonly trace?: TraceContext | undefined
  /** Whether the messages are compressed. Then no message has a filter value. */
  readonly isCompressed?: boolean
  /** Whether messages may have routing keys: they go to a super stream. */
  readonly isRouted?: boolean
}

const COMPRESSED = 'does not go together with compression: compressed entries have no filter values'

const UNROUTED = 'is for super streams: this is a stream. See /v1/super-streams/{superStream}/messages'

// A text may be written in escapes of six bytes for each of its bytes, base64 then takes eight, and a tagged value has
// some 30 bytes beside its content.
const MOST_FOR_A_BYTE = 8
const MIN_PARSED_BYTES = 1024 * 1024

/**
 * Makes the message of a span, whose bytes are valid JSON, and adds it to a batch.
 *
 * @param index of the message in its request
 * @throws MessageFormatError with a pointer that starts with `pointer`
 * @throws StreamsError `message_too_large`
 */
export function addMessage (
  bytes: Buffer,
  span: MessageSpan,
  index: number,
  pointer: string,
  to: Destination
): void {
  if (span.isBodyOnly) {
    refuseUnsendable(index, span.bodyEnd - span.bodyStart, to.limits.frameMaxBytes)
    to.ids.check(undefined, `${pointer}/publishingId`)
    addJsonLine(bytes.subarray(span.bodyStart, span.bodyEnd), undefined, to.batch, to.filterValue, to.trace)
    return
  }
  const parsed = toMessage(bytes, span, index, pointer, to)
  const { publishingId, routingKey, filterValue = to.filterValue } = parsed
  const message = to.trace?.addedTo(parsed.message) ?? parsed.message
  if (routingKey !== undefined && to.isRouted !== true) throw new MessageFormatError(`${pointer}/routingKey`, UNROUTED)
  to.ids.check(publishingId, `${pointer}/publishingId`)
  if (filterValue === undefined) to.batch.add(message, publishingId)
  else if (to.isCompressed === true) throw new MessageFormatError(`${pointer}/filterValue`, COMPRESSED)
  else to.batch.add(filterValue.addedTo(message), publishingId, filterValue.bytes)
  if (routingKey !== undefined) to.batch.routeLast(routingKey)
}

/** The message of a span. @throws as `addMessage` */
export function toMessage (
  bytes: Buffer,
  span: MessageSpan,
  index: number,
  pointer: string,
  to: Pick<Destination, 'limits' | 'work'>
): ParsedMessage {
  const { start, end, bodyStart, bodyEnd } = span
  if (!span.isObject) throw new MessageFormatError(pointer, 'must be object')
  const body = bodyEnd < 0 ? NO_BODY : bytes.subarray(bodyStart, bodyEnd)
  const text = bodyEnd < 0
    ? bytes.toString('utf8', start, end)
    : `${bytes.toString('utf8', start, bodyStart)}null${bytes.toString('utf8', bodyEnd, end)}`
  const json = text === lastEnvelope.text ? lastEnvelope.json : toEnvelope(text, span, pointer)
  refuseLargeBody(json, body, index, to.limits)
  return parseMessage(json, pointer, new MessageBody(body, span, pointer, to))
}

/** Successive messages often differ in nothing but their bodies. */
let lastEnvelope: { text: string, json: MessageWrite } = { text: '', json: { body: null } }

function toEnvelope (text: string, { isDoubtful }: MessageSpan, pointer: string): MessageWrite {
  const json: unknown = JSON.parse(text)
  if (!isMessage(json)) throw schemaFault(pointer)
  if (isDoubtful) refuseRounded(text, pointer)
  if (text.length <= MAX_KEPT_LENGTH) lastEnvelope = { text, json }
  return json
}

// Longer ones are rarely the same, and would stay in memory.
const MAX_KEPT_LENGTH = 1024

const NO_BODY = Buffer.alloc(0)

// A class, since closures made for every message would cost more.
class MessageBody implements JsonBody {
  readonly bytes: Buffer
  readonly #span: MessageSpan
  readonly #pointer: string
  readonly #to: Pick<Destination, 'limits' | 'work'>

  constructor (bytes: Buffer, span: MessageSpan, pointer: string, to: Pick<Destination, 'limits' | 'work'>) {
    this.bytes = bytes
    this.#span = span
    this.#pointer = pointer
    this.#to = to
  }

  get textBytes (): Buffer | undefined {
    return this.bytes[0] === QUOTE && !this.#span.hasEscapedBody ? this.bytes.subarray(1, -1) : undefined
  }

  parse (): unknown {
    return this.#parse(this.bytes, this.#span.bodyValues, this.#span.hasDoubtfulBody)
  }

  parseText (text: Buffer): unknown {
    const scanner = new JsonScanner(text)
    scanner.passValue(Infinity)
    return this.#parse(text, scanner.values, scanner.hasDoubtfulNumber)
  }

  #parse (text: Buffer, values: number, isDoubtful: boolean): unknown {
    refuseManyValues(values, this.#to.limits, `${this.#pointer}/body`)
    this.#to.work.units -= values * UNITS_OF_VALUE
    const json = text.toString()
    if (isDoubtful) refuseRounded(json, `${this.#pointer}/body`)
    return JSON.parse(json)
  }
}

// What is too large in any case is not parsed first.
function refuseLargeBody (json: MessageWrite, body: Buffer, index: number, { frameMaxBytes }: MessageLimits): void {
  if (body.length <= frameMaxBytes) return
  const { bodyType = 'data', bodyEncoding = 'json' } = json
  const isSurelyLarger = body.length > Math.max(frameMaxBytes * MOST_FOR_A_BYTE, MIN_PARSED_BYTES)
  const isString = bodyType === 'value' && bodyEncoding === 'json' && body[0] === QUOTE
  if (isSurelyLarger) refuseUnsendable(index, body.length, frameMaxBytes)
  else if (bodyType === 'data' || isString) {
    refuseSurelyLarge(index, body, isString ? 'text' : bodyEncoding, frameMaxBytes)
  }
}

const QUOTE = 0x22

function refuseRounded (text: string, pointer: string): void {
  const within = findRounded(text)
  if (within === undefined) return
  throw new MessageFormatError(pointer + within, 'must not be a number that has to be rounded')
}

// Not the validator of the app: that one collects all errors, and a large message may have thousands of unknown fields.
// Here the first error of each message is enough.
const isMessage = new Ajv({ allErrors: false, allowUnionTypes: true, strictTuples: false }).compile<MessageWrite>(
  MessageWrite
)

function schemaFault (pointer: string): MessageFormatError {
  const [error] = isMessage.errors ?? []
  if (error === undefined) return new MessageFormatError(pointer, 'is not a valid message')
  const { pointer: within, message } = describeSchemaError(error)
  return new MessageFormatError(pointer + within, message)
}
