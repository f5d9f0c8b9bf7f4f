import { AmqpDecodeError, AmqpTooLargeError, decodeMessage } from '../streams/index.ts'
import type { AmqpBody, AmqpMessage, ReadMessage, Unreadable } from '../streams/index.ts'
import { base64Of, bufferOf, timeOf, utf8Of } from './json-parts.ts'
import { isJson } from '../text/json-steps.ts'
import { propertyFieldsJson } from './properties-json.ts'
import { annotationsJson, applicationPropertiesJson, headerJson } from './sections-json.ts'
import { escapeSeparators } from './separators.ts'
import { listJson, valueJson } from './value-to-json.ts'

/**
 * How a reader wants bodies. `auto`: JSON when the content type says JSON and the body is JSON, else text when it is
 * UTF-8, else base64.
 */
export type ReadEncoding = 'auto' | 'json' | 'text' | 'base64'

/**
 * The JSON text of a message, on one line. Never throws: when the encoding does not fit the body, the body is base64
 * and `bodyEncoding` says so; an entry that is not an AMQP message is returned whole.
 *
 * A JSON body is copied as it was stored. Parsing and printing it again would change numbers beyond 2^53, and cost
 * more.
 */
export function messageToJsonText (message: ReadMessage, encoding: ReadEncoding): string {
  const start = startText(message.offset, message.timestamp)
  if (message.kind === 'unreadable') return `${start}${base64Body(message.bytes)}${unreadableTail(message)}`
  return escapeSeparators(start + entryText(decodeEntry(message.bytes), message.bytes, encoding))
}

/** The text of an entry, without its start. */
export function entryText (decoded: DecodedEntry, bytes: Uint8Array, encoding: ReadEncoding): string {
  return decoded.kind === 'message'
    ? bodyJson(decoded.message, encoding) + tailText(decoded.message)
    : base64Body(bytes) + undecodedTail(decoded)
}

/** The text after the body of records that cannot be told apart. */
export function unreadableTail ({ records, compression, reason }: Unreadable): string {
  return `,"format":"unreadable","records":${records},` +
    `"compression":${JSON.stringify(compression)},"reason":${JSON.stringify(reason)}}`
}

/** The text after the body, which is the whole entry. */
export function undecodedTail (decoded: Exclude<DecodedEntry, { kind: 'message' }>): string {
  return decoded.kind === 'unknown'
    ? ',"format":"unknown"}'
    : `,"format":"undecoded","reason":${JSON.stringify(decoded.reason)}}`
}

/** The text before the body. @param opening with what the object begins */
export function startText (offset: number, timestamp: number, opening = '{'): string {
  return `${opening}"offset":${offset},"timestamp":"${chunkTime(timestamp)}","body":`
}

/** The text after the body. It does not depend on the body. */
export function tailText (message: AmqpMessage): string {
  return headerJson(message.header) +
    propertiesJson(message) +
    applicationPropertiesJson(message) +
    annotationsJson('messageAnnotations', message.messageAnnotations) +
    annotationsJson('deliveryAnnotations', message.deliveryAnnotations) +
    annotationsJson('footer', message.footer) + '}'
}

/** The messages of a chunk share one time, and printing a time takes a third of the time of a small message. */
let lastChunkTime = { ms: 0, text: timeOf(0) }

function chunkTime (ms: number): string {
  if (ms !== lastChunkTime.ms) lastChunkTime = { ms, text: timeOf(ms) }
  return lastChunkTime.text
}

/** An entry: a message, not AMQP 1.0, or a message with more values than are decoded. */
export type DecodedEntry =
  | { readonly kind: 'message', readonly message: AmqpMessage }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'undecoded', readonly reason: string }

const UNKNOWN: DecodedEntry = { kind: 'unknown' }

export function decodeEntry (bytes: Uint8Array): DecodedEntry {
  try {
    return { kind: 'message', message: decodeMessage(bytes) }
  } catch (error) {
    if (error instanceof AmqpTooLargeError) return { kind: 'undecoded', reason: `the message has ${error.message}` }
    if (error instanceof AmqpDecodeError) return UNKNOWN
    throw error
  }
}

/** The JSON text of a body that is not bytes. A missing body is shown as the value null. */
export function typedBodyJson (body: Exclude<AmqpBody, { kind: 'data' }>): string {
  switch (body.kind) {
    case 'value': return valueJson(body.value)
    case 'sequence': return `[${body.sections.map(listJson).join(',')}]`
    case 'none': return 'null'
  }
}

/** The bytes of a data body; several sections form one body. */
export function joinSections (sections: readonly Uint8Array[]): Uint8Array {
  const [first, ...others] = sections
  return first !== undefined && others.length === 0 ? first : Buffer.concat(sections)
}

/** The body, and how it is encoded. */
export function bodyJson (message: AmqpMessage, encoding: ReadEncoding): string {
  const { body } = message
  if (body.kind === 'data') return dataJson(joinSections(body.sections), message.properties?.contentType, encoding)
  const text = typedBodyJson(body)
  const bodyType = `"bodyType":"${body.kind === 'sequence' ? 'sequence' : 'value'}"`
  switch (encoding) {
    case 'auto': case 'json': return `${text},"bodyEncoding":"json",${bodyType}`
    case 'text': return `${JSON.stringify(text)},"bodyEncoding":"text",${bodyType}`
    case 'base64': return `${base64Body(Buffer.from(text))},${bodyType}`
  }
}

function dataJson (bytes: Uint8Array, contentType: string | undefined, encoding: ReadEncoding): string {
  const text = encoding === 'base64' ? undefined : utf8Of(bytes)
  if (text === undefined) return base64Body(bytes)
  if ((encoding === 'json' || (encoding === 'auto' && isJsonType(contentType))) && isJson(bufferOf(bytes))) {
    // In valid JSON a raw line break is white space between tokens, so it may become a space.
    return `${/[\r\n]/.test(text) ? text.replace(/[\r\n]/g, ' ') : text},"bodyEncoding":"json"`
  }
  return encoding === 'json' ? base64Body(bytes) : `${JSON.stringify(text)},"bodyEncoding":"text"`
}

function base64Body (bytes: Uint8Array): string {
  return `"${base64Of(bytes)}","bodyEncoding":"base64"`
}

/** Whether a content type says JSON. */
export function isJsonType (contentType: string | undefined): boolean {
  if (contentType === undefined) return false
  return contentType === 'application/json' || /^\s*(?:application\/json|[^\s;]+\+json)\s*(?:;|$)/i.test(contentType)
}

function propertiesJson (message: AmqpMessage): string {
  const isData = message.body.kind === 'data'
  if (message.properties === undefined) return isData ? ',"properties":{"contentType":null}' : ''
  const fields = propertyFieldsJson(message.properties, isData)
  return fields === '' ? '' : `,"properties":{${fields}}`
}
