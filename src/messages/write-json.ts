import { pointerTo } from '../text/json-pointer.ts'
import type { AmqpProperties, OutgoingMessage } from '../streams/index.ts'
import { ownFilterValue, type FilterValue } from './filter-value.ts'
import { MessageFormatError } from './format-error.ts'
import { expectString, expectUnicode, parseBase64 } from './json-parts.ts'
import { parseProperties } from './properties-json.ts'
import { parseAnnotations, parseApplicationProperties, parseHeader } from './sections-json.ts'
import { parseValue } from './value-from-json.ts'
import { refuseBadRoutingKey } from './routing-key.ts'
import type { MessageWrite } from './schemas.ts'

/** A message ready for the domain. */
export interface ParsedMessage {
  readonly message: OutgoingMessage
  readonly publishingId?: number
  /** The message's own one. Its annotation is not added yet. */
  readonly filterValue?: FilterValue | undefined
  /** By which the message finds its partition of a super stream. */
  readonly routingKey?: string | undefined
}

/** The body of a JSON message. */
export interface JsonBody {
  /** Its JSON text. */
  readonly bytes: Uint8Array
  /** The UTF-8 bytes of a string without escapes. */
  readonly textBytes: Buffer | undefined
  /** Its value. @throws MessageFormatError when it has too many values, or a number that would be rounded */
  parse (): unknown
  /** As `parse`, for JSON text that the body is an encoding of. @throws SyntaxError when it is not JSON */
  parseText (text: Buffer): unknown
}

const QUOTE = 0x22

const DEFAULT_CONTENT_TYPES = {
  json: 'application/json',
  text: 'text/plain',
  base64: 'application/octet-stream'
} as const

/** Most messages have no other property and share these objects. */
const DEFAULT_PROPERTIES = {
  json: { contentType: DEFAULT_CONTENT_TYPES.json },
  text: { contentType: DEFAULT_CONTENT_TYPES.text },
  base64: { contentType: DEFAULT_CONTENT_TYPES.base64 }
} as const

/**
 * The message that a JSON message stands for. Its shape has been checked against `MessageWrite`; the rest is checked
 * here. A MessageFormatError has a pointer below `pointer`, which is the pointer of the message itself.
 *
 * @param json the message; its `body` is not looked at
 */
export function parseMessage (json: MessageWrite, pointer: string, body: JsonBody): ParsedMessage {
  const annotations = (name: 'deliveryAnnotations' | 'messageAnnotations' | 'footer') =>
    parseAnnotations(json[name], `${pointer}/${name}`)
  const messageAnnotations = annotations('messageAnnotations')
  if (json.routingKey !== undefined) refuseBadRoutingKey(json.routingKey, `${pointer}/routingKey`)
  return {
    message: {
      header: parseHeader(json.header),
      deliveryAnnotations: annotations('deliveryAnnotations'),
      messageAnnotations,
      properties: propertiesOf(json, pointer),
      applicationProperties:
        parseApplicationProperties(json.applicationProperties, `${pointer}/applicationProperties`),
      body: bodyOf(json, body, `${pointer}/body`),
      footer: annotations('footer')
    },
    publishingId: json.publishingId,
    routingKey: json.routingKey,
    filterValue: json.filterValue === undefined && messageAnnotations === undefined
      ? undefined
      : ownFilterValue(json.filterValue, messageAnnotations, pointer)
  }
}

function propertiesOf (json: MessageWrite, pointer: string): AmqpProperties | undefined {
  const { properties, bodyEncoding = 'json', bodyType = 'data' } = json
  if (properties === undefined) return bodyType === 'data' ? DEFAULT_PROPERTIES[bodyEncoding] : undefined
  const parsed = parseProperties(properties, `${pointer}/properties`)
  if (properties.contentType === undefined) {
    if (bodyType === 'data') parsed.contentType = DEFAULT_CONTENT_TYPES[bodyEncoding]
  } else if (properties.contentType !== null) {
    parsed.contentType = expectUnicode(properties.contentType, `${pointer}/properties/contentType`)
  }
  return parsed
}

function bodyOf (json: MessageWrite, body: JsonBody, pointer: string): OutgoingMessage['body'] {
  switch (json.bodyType) {
    case 'value': return { kind: 'value', value: parseValue(typedBodyOf(json, body, pointer), pointer, 1) }
    case 'sequence': return { kind: 'sequence', sections: sequencesOf(typedBodyOf(json, body, pointer), pointer) }
    default: return bytesOf(json, body, pointer)
  }
}

function bytesOf (json: MessageWrite, body: JsonBody, pointer: string): Uint8Array {
  switch (json.bodyEncoding) {
    case 'text':
      return body.textBytes ??
        Buffer.from(expectUnicode(stringOf(body, pointer, 'bodyEncoding is "text"'), pointer))
    case 'base64': return parseBase64(stringOf(body, pointer, 'base64'), pointer)
    default: return body.bytes
  }
}

// Only a string is parsed: anything else would be made for nothing.
function stringOf (body: JsonBody, pointer: string, what: string): string {
  const { textBytes } = body
  if (textBytes !== undefined) return textBytes.toString()
  return expectString(body.bytes[0] === QUOTE ? body.parse() : undefined, pointer, what)
}

/** The JSON of a body made of AMQP values. With the encodings `text` and `base64` the body is JSON text. */
function typedBodyOf (json: MessageWrite, body: JsonBody, pointer: string): unknown {
  if (json.bodyEncoding === undefined || json.bodyEncoding === 'json') return body.parse()
  const text = Buffer.from(bytesOf(json, body, pointer))
  try {
    return body.parseText(text)
  } catch (error) {
    if (error instanceof MessageFormatError) throw error
    throw new MessageFormatError(pointer, 'must be JSON text, since bodyType is not "data"')
  }
}

function sequencesOf (json: unknown, pointer: string) {
  if (!Array.isArray(json) || json.length === 0) {
    throw new MessageFormatError(pointer, 'must be an array of arrays, one for each sequence')
  }
  return json.map((sequence: unknown, index) => {
    const value = parseValue(sequence, pointerTo(pointer, index), 1)
    if (value.type !== 'list') throw new MessageFormatError(pointerTo(pointer, index), 'must be an array')
    return value.value
  })
}
