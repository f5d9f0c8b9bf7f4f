import { pointerTo } from '../../text/json-pointer.ts'
import { JsonFault } from '../../text/json-fault.ts'
import { JsonScanner } from '../../text/json-scanner.ts'
import type { AmqpBody, AmqpMap, AmqpMessage, AmqpValue, LongValue, ReadMessage } from '../../streams/index.ts'
import { MessageFormatError } from '../format-error.ts'
import { base64Of, bufferOf, timeOf, utf8Of } from '../json-parts.ts'
import { longJson, longValue } from '../large-json.ts'
import { mediaTypeOf } from '../media-type.ts'
import { MessageScan } from '../message-scan.ts'
import { decodeEntry, joinSections, typedBodyJson } from '../read-json.ts'
import { oneLineSlices, utf8Slices, type Slices } from '../slices.ts'
import { messageTrace } from '../trace-context.ts'
import {
  checkAttributes, fitting, isAttributeName, isInteger, SPEC_VERSION, type AttributeValue
} from './attributes.ts'
import { dataSlices, JSON_TYPE } from './event-data.ts'
import { EVENT_TYPE } from './event-types.ts'
import { PREFIXES } from './event.ts'
import { DATA_KEYS, parseEvent } from './json-event.ts'

/** The type of the event that stands for a message which is no event. */
export const MESSAGE_TYPE = 'rabbitmq.stream.message'
/** The type of the event that stands for messages which cannot be told apart. */
export const UNREADABLE_TYPE = 'rabbitmq.stream.unreadable'

// Larger ones are given as the data of an event.
const MAX_STRUCTURED_BYTES = 1024 * 1024
const NOTHING = Buffer.alloc(0)
const LIMITS = { maxMessageValues: 1000, frameMaxBytes: Infinity }

/** The JSON text of the event that a message is, or of one that stands for it. */
export function * eventSlices (message: ReadMessage, source: string): Slices {
  if (message.kind === 'unreadable') {
    const { records, reason } = message
    const attributes = { ...standIn(message, source), type: UNREADABLE_TYPE, records, reason }
    return yield * whole(attributes, dataSlices(message.bytes, undefined))
  }
  const bytes = bufferOf(message.bytes)
  const long = longValue(bytes)
  if (long !== undefined) return yield * ofLongValue(message, source, long)
  const decoded = decodeEntry(bytes)
  if (decoded.kind !== 'message') {
    return yield * whole(standIn(message, source), dataSlices(bytes, undefined))
  }
  const { properties, body } = decoded.message
  const datacontenttype = fitting('datacontenttype', properties?.contentType)
  const content = bytesOf(body)
  // The content type decides: an event that is stored as a whole may have its attributes as properties too.
  if (content !== undefined && isStructured(content, datacontenttype)) return yield * oneLineSlices(utf8Slices(content))
  const attributes = attributesOf(decoded.message)
  const data = attributes === undefined && body.kind !== 'data' ? undefined : content
  const members = attributes ?? { ...standIn(message, source), ...factsOf(decoded.message) }
  if (data === undefined) {
    const text = body.kind === 'data' ? [] : [typedBodyJson(body)]
    yield * whole({ ...members, datacontenttype: JSON_TYPE }, json(text))
  } else {
    yield * whole({ ...members, datacontenttype }, dataSlices(data, datacontenttype))
  }
}

function ofLongValue (
  message: ReadMessage, source: string, long: { readonly value: LongValue, readonly message: AmqpMessage }
): Slices {
  const attributes = attributesOf(long.message)
  if (attributes === undefined) {
    const members = { ...standIn(message, source), ...factsOf(long.message), datacontenttype: JSON_TYPE }
    return whole(members, json(longJson(long.value)))
  }
  const datacontenttype = fitting('datacontenttype', long.message.properties?.contentType)
  return whole({ ...attributes, datacontenttype }, dataSlices(long.value.content, datacontenttype))
}

// Some clients send text and bytes as one AMQP value.
function bytesOf (body: AmqpBody): Uint8Array | undefined {
  if (body.kind === 'data') return joinSections(body.sections)
  if (body.kind !== 'value') return body.kind === 'none' ? NOTHING : undefined
  if (body.value.type === 'string') return Buffer.from(body.value.value)
  return body.value.type === 'binary' ? body.value.value : undefined
}

type Members = Readonly<Record<string, AttributeValue | undefined>>

function * whole (attributes: Members, data: Slices): Slices {
  yield JSON.stringify(attributes).slice(0, -1)
  yield * data
  yield '}'
}

function * json (text: Iterable<string>): Slices {
  yield ',"data":'
  yield * text
}

function standIn ({ offset, timestamp }: ReadMessage, source: string) {
  return {
    specversion: SPEC_VERSION, id: String(offset), source, type: MESSAGE_TYPE, time: timeOf(timestamp)
  }
}

// The attributes that an event takes from a message which is not an event itself.
function factsOf (message: AmqpMessage): Members {
  return { subject: fitting('subject', message.properties?.subject), ...traceOf(message) }
}

function traceOf (message: AmqpMessage): Members {
  const trace = messageTrace(message)
  return trace === undefined ? {} : { traceparent: trace.point.text, tracestate: trace.state }
}

// Undefined when the message is not an event in the binary mode of AMQP.
function attributesOf (message: AmqpMessage): Members | undefined {
  const { applicationProperties = [] } = message
  const attributes = new Map<string, AttributeValue>()
  for (const [key, value] of applicationProperties) {
    const name = nameOf(key)
    const text = name === undefined ? undefined : attributeOf(value)
    if (name !== undefined && text !== undefined && !attributes.has(name)) attributes.set(name, text)
  }
  if (attributes.get('specversion') !== SPEC_VERSION) return undefined
  attributes.delete('datacontenttype') // it is the content type
  if (!isEvent(attributes)) return undefined
  const trace = attributes.has('traceparent') ? {} : traceOf(message)
  const { specversion, id, source, type, ...others } = Object.fromEntries(attributes)
  return { specversion, id, source, type, ...others, ...trace }
}

function isEvent (attributes: ReadonlyMap<string, AttributeValue>): boolean {
  try {
    checkAttributes(attributes, (name) => pointerTo('', name))
    return true
  } catch (error) {
    if (error instanceof MessageFormatError) return false
    throw error
  }
}

function nameOf (key: AmqpMap[number][0]): string | undefined {
  if (key.type !== 'string' && key.type !== 'symbol') return undefined
  const prefix = PREFIXES.find((prefix) => key.value.startsWith(prefix))
  const name = prefix === undefined ? undefined : key.value.slice(prefix.length)
  return name !== undefined && isAttributeName(name) ? name : undefined
}

// Undefined for kinds of values that attributes cannot have. A number beyond 32 bits is given in digits.
function attributeOf (value: AmqpValue): AttributeValue | undefined {
  switch (value.type) {
    case 'string': case 'symbol': case 'uuid': case 'boolean': return value.value
    case 'ubyte': case 'ushort': case 'uint': case 'byte': case 'short': case 'int':
      return isInteger(value.value) ? value.value : String(value.value)
    case 'ulong': case 'long': return isInteger(Number(value.value)) ? Number(value.value) : String(value.value)
    case 'timestamp': return timeOf(value.value)
    case 'binary': return base64Of(value.value)
    default: return undefined
  }
}

// Other programs store an event as a whole.
function isStructured (body: Uint8Array, contentType: string | undefined): boolean {
  if (mediaTypeOf(contentType) !== EVENT_TYPE || body.length > MAX_STRUCTURED_BYTES) return false
  if (utf8Of(body) === undefined) return false
  const bytes = bufferOf(body)
  const scanner = new JsonScanner(bytes)
  try {
    const span = new MessageScan(scanner, LIMITS, DATA_KEYS).scan(Infinity)
    if (span === undefined || scanner.next() >= 0) return false
    parseEvent(bytes, span, '')
    return true
  } catch (error) {
    if (error instanceof JsonFault || error instanceof MessageFormatError) return false
    throw error
  }
}
