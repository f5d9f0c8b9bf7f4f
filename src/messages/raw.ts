import { AmqpDecodeError, dataBodyOf } from '../streams/index.ts'
import type { AmqpMap, AmqpProperties, AmqpValue, ReadMessage } from '../streams/index.ts'
import { FilterValue } from './filter-value.ts'
import { MessageFormatError } from './format-error.ts'
import { headerText } from './header-text.ts'
import { isJson } from '../text/json-steps.ts'
import { bufferOf } from './json-parts.ts'
import { longJson, longValue } from './large-json.ts'
import { decodeEntry, isJsonType, joinSections, typedBodyJson } from './read-json.ts'
import { refuseBadRoutingKey } from './routing-key.ts'
import type { Slices } from './slices.ts'
import { messageTrace, type TraceContext } from './trace-context.ts'
import type { ParsedMessage } from './write-json.ts'

type Headers = Readonly<Record<string, string | string[] | undefined>>

const APP_PROPERTY = 'app-property-'

/**
 * A message of exactly these bytes. Headers become properties: content-type, message-id, correlation-id, subject, and
 * application properties from app-property-* and the kept headers, in lower case, as strings; publishing-id numbers the
 * message; filter-value is its filter value, routing-key its routing key.
 *
 * @param kept names of headers that become application properties, in lower case, each once
 * @throws MessageFormatError, with a pointer like /headers/publishing-id
 */
export function rawMessage (body: Buffer, headers: Headers, kept: readonly string[] = []): ParsedMessage {
  const properties: AmqpProperties = {
    messageId: stringValue(headerText(headers['message-id'])),
    correlationId: stringValue(headerText(headers['correlation-id'])),
    subject: headerText(headers['subject']),
    contentType: headerText(headers['content-type'])
  }
  const filterValue = headerText(headers['filter-value'])
  const routingKey = headerText(headers['routing-key'])
  if (routingKey !== undefined) refuseBadRoutingKey(routingKey, '/headers/routing-key')
  return {
    message: { properties, applicationProperties: applicationProperties(headers, kept), body },
    publishingId: parsePublishingId(headerText(headers['publishing-id'])),
    routingKey,
    filterValue: filterValue === undefined ? undefined : new FilterValue(filterValue, '/headers/filter-value')
  }
}

function applicationProperties (headers: Headers, kept: readonly string[]): AmqpMap {
  const properties: Array<readonly [AmqpValue, AmqpValue]> = []
  const add = (name: string, value: string): void => {
    properties.push([{ type: 'string', value: name }, { type: 'string', value }])
  }
  for (const [name, header] of Object.entries(headers)) {
    const value = name.startsWith(APP_PROPERTY) ? headerText(header) : undefined
    if (value === undefined) continue
    const property = name.slice(APP_PROPERTY.length)
    if (property === '') throw new MessageFormatError(`/headers/${name}`, 'must name an application property')
    // Which of the two is meant cannot be known. A map with a key twice is not valid.
    if (kept.includes(property) && headers[property] !== undefined) {
      throw new MessageFormatError(`/headers/${name}`, `names the application property that keep=${property} makes`)
    }
    add(property, value)
  }
  for (const name of kept) {
    const value = headerText(headers[name])
    if (value !== undefined) add(name, value)
  }
  return properties
}

/** The body of one message as it is stored. */
export interface RawBody {
  /** Safe to send as a header. */
  readonly contentType: string
  /** The text of a long AMQP value comes in slices. */
  readonly body: Uint8Array | Slices
  /** The trace context of the message. */
  readonly trace?: TraceContext | undefined
}

/** The body of one message as it is stored, and what is said of it in headers. */
export function rawBody (message: ReadMessage): RawBody {
  if (message.kind === 'unreadable') return { contentType: OCTETS, body: message.bytes }
  const long = longValue(bufferOf(message.bytes))
  if (long !== undefined) {
    return { contentType: JSON_TYPE, body: longJson(long.value), trace: messageTrace(long.message) }
  }
  const decoded = decodeEntry(message.bytes)
  if (decoded.kind === 'unknown') return { contentType: OCTETS, body: message.bytes }
  if (decoded.kind === 'undecoded') return { contentType: OCTETS, body: lineBody(message) }
  const { body, properties } = decoded.message
  const trace = messageTrace(decoded.message)
  if (body.kind !== 'data') return { contentType: JSON_TYPE, body: Buffer.from(typedBodyJson(body)), trace }
  const contentType = properties?.contentType
  return {
    contentType: contentType !== undefined && MEDIA_TYPE.test(contentType) ? contentType : OCTETS,
    body: joinSections(body.sections),
    trace
  }
}

/**
 * The line that a message becomes: the bytes of its body, the JSON text of a body that is not bytes, or the whole entry
 * when it is not an AMQP message. To be fast, it skips the other sections without checking them.
 */
export function lineBody (message: ReadMessage): Uint8Array {
  if (message.kind === 'unreadable') return message.bytes
  try {
    const body = dataBodyOf(message.bytes)
    if (body !== undefined) return body
  } catch (error) {
    if (error instanceof AmqpDecodeError) return message.bytes
    throw error
  }
  const decoded = decodeEntry(message.bytes)
  return decoded.kind !== 'message' || decoded.message.body.kind === 'data'
    ? message.bytes
    : Buffer.from(typedBodyJson(decoded.message.body))
}

// Checking this much takes a few milliseconds.
const MAX_JSON_LINE_BYTES = 1024 * 1024
const SPACE = 0x20

/**
 * A JSON body with line breaks, on one line: between its tokens a space means the same. Undefined when the message does
 * not say that it is JSON, when it is not, and when it is larger than 1 MiB.
 */
export function jsonOnOneLine (entry: Buffer, body: Uint8Array): Buffer | undefined {
  if (body.length > MAX_JSON_LINE_BYTES) return undefined
  const decoded = decodeEntry(entry)
  if (decoded.kind !== 'message' || !isJsonType(decoded.message.properties?.contentType)) return undefined
  const line = Buffer.from(body)
  if (!isJson(line)) return undefined
  for (let at = 0; at < line.length; at++) {
    if (line[at] === 0x0a || line[at] === 0x0d) line[at] = SPACE
  }
  return line
}

const OCTETS = 'application/octet-stream'
const JSON_TYPE = 'application/json'

/** A media type with parameters (RFC 9110, 8.3.1). A stored content type may be any text, even one with line breaks. */
const MEDIA_TYPE = /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+(?:[ \t]*;[\t\x20-\x7e]*)?$/

function stringValue (value: string | undefined): AmqpValue | undefined {
  return value === undefined ? undefined : { type: 'string', value }
}

function parsePublishingId (text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const id = /^(0|[1-9]\d{0,15})$/.test(text) ? Number(text) : NaN
  if (!Number.isSafeInteger(id)) {
    throw new MessageFormatError('/headers/publishing-id', 'must be a whole number from 0 to 2^53-1')
  }
  return id
}
