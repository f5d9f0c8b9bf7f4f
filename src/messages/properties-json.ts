import type { AmqpProperties, AmqpValue } from '../streams/index.ts'
import { MessageFormatError } from './format-error.ts'
import { base64Of, expectUnicode, parseTime, timeOf, utf8Of } from './json-parts.ts'
import { taggedJson, valueJson } from './value-to-json.ts'
import { parseValue } from './value-from-json.ts'
import type { MessagePropertiesJson } from './section-schemas.ts'

/** Fields of the properties section are at depth 2; the list itself is at depth 1. */
const FIELD_DEPTH = 2

/** The properties without `contentType`, whose default depends on the body. */
export function parseProperties (json: MessagePropertiesJson, pointer: string): AmqpProperties {
  return {
    messageId: parseId(json.messageId, `${pointer}/messageId`),
    userId: parseUserId(json.userId, `${pointer}/userId`),
    to: parseAddress(json.to, `${pointer}/to`),
    subject: parseText(json.subject, `${pointer}/subject`),
    replyTo: parseAddress(json.replyTo, `${pointer}/replyTo`),
    correlationId: parseId(json.correlationId, `${pointer}/correlationId`),
    contentEncoding: parseText(json.contentEncoding, `${pointer}/contentEncoding`),
    absoluteExpiryTime: parseOptionalTime(json.absoluteExpiryTime, `${pointer}/absoluteExpiryTime`),
    creationTime: parseOptionalTime(json.creationTime, `${pointer}/creationTime`),
    groupId: parseText(json.groupId, `${pointer}/groupId`),
    groupSequence: json.groupSequence,
    replyToGroupId: parseText(json.replyToGroupId, `${pointer}/replyToGroupId`)
  }
}

/**
 * The fields as `"name":value` pairs, joined by commas; '' when there are none. With `writesContentType` an absent
 * content type is written as null: otherwise posting a message with a body of bytes again would add one.
 */
export function propertyFieldsJson (properties: AmqpProperties, writesContentType: boolean): string {
  let text = ''
  if (properties.messageId !== undefined) text += `,"messageId":${idJson(properties.messageId)}`
  if (properties.userId !== undefined) text += `,"userId":${userIdJson(properties.userId)}`
  if (properties.to !== undefined) text += `,"to":${valueJson(properties.to)}`
  if (properties.subject !== undefined) text += `,"subject":${JSON.stringify(properties.subject)}`
  if (properties.replyTo !== undefined) text += `,"replyTo":${valueJson(properties.replyTo)}`
  if (properties.correlationId !== undefined) text += `,"correlationId":${idJson(properties.correlationId)}`
  if (properties.contentType !== undefined) text += `,"contentType":${JSON.stringify(properties.contentType)}`
  else if (writesContentType) text += ',"contentType":null'
  if (properties.contentEncoding !== undefined) {
    text += `,"contentEncoding":${JSON.stringify(properties.contentEncoding)}`
  }
  if (properties.absoluteExpiryTime !== undefined) {
    text += `,"absoluteExpiryTime":"${timeOf(properties.absoluteExpiryTime)}"`
  }
  if (properties.creationTime !== undefined) text += `,"creationTime":"${timeOf(properties.creationTime)}"`
  if (properties.groupId !== undefined) text += `,"groupId":${JSON.stringify(properties.groupId)}`
  if (properties.groupSequence !== undefined) text += `,"groupSequence":${properties.groupSequence}`
  if (properties.replyToGroupId !== undefined) text += `,"replyToGroupId":${JSON.stringify(properties.replyToGroupId)}`
  return text.slice(1)
}

function parseText (json: string | undefined, pointer: string): string | undefined {
  return json === undefined ? undefined : expectUnicode(json, pointer)
}

function parseOptionalTime (json: string | undefined, pointer: string): bigint | undefined {
  return json === undefined ? undefined : parseTime(json, pointer)
}

function parseAddress (json: unknown, pointer: string): AmqpValue | undefined {
  return json === undefined || json === null ? undefined : parseValue(json, pointer, FIELD_DEPTH)
}

/**
 * A message id is a ulong, uuid, binary or string (AMQP 1.0, part 3, 3.2.11 to 3.2.14), so a whole number is a ulong
 * here.
 */
function parseId (json: unknown, pointer: string): AmqpValue | undefined {
  if (json === undefined) return undefined
  if (typeof json === 'number' && Number.isSafeInteger(json) && json >= 0) return { type: 'ulong', value: BigInt(json) }
  const value = parseValue(json, pointer, FIELD_DEPTH)
  switch (value.type) {
    case 'list': case 'map': case 'array': case 'described': case 'null':
      throw new MessageFormatError(pointer, 'must be a string, a whole number or a tagged scalar')
    default: return value
  }
}

/**
 * Any other type than the usual two is tagged: some clients write ids of types that the specification does not allow.
 */
function idJson (id: AmqpValue): string {
  if (id.type === 'ulong' && id.value <= Number.MAX_SAFE_INTEGER) return String(id.value)
  return id.type === 'string' ? JSON.stringify(id.value) : taggedJson(id)
}

function parseUserId (json: unknown, pointer: string): Uint8Array | undefined {
  if (json === undefined) return undefined
  const value = parseValue(json, pointer, FIELD_DEPTH)
  if (value.type === 'string') return Buffer.from(value.value)
  if (value.type === 'binary') return value.value
  throw new MessageFormatError(pointer, 'must be a string or a tagged binary')
}

/** The bytes of a user id are a name in UTF-8, nearly always. */
function userIdJson (userId: Uint8Array): string {
  const text = utf8Of(userId)
  return text === undefined ? `{"$type":"binary","value":"${base64Of(userId)}"}` : JSON.stringify(text)
}
