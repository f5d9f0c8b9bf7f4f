import { CODE, SECTION } from './codes.ts'
import type { AmqpHeader, AmqpMap, AmqpProperties, OutgoingMessage, TypedBody } from './message.ts'
import type { AmqpValue } from './value.ts'
import { mapLength, valueLength, writeValue } from './value-writer.ts'

/** A section starts with three bytes: the described constructor, the small ulong constructor, its number. */
const DESCRIPTOR_LENGTH = 3

/** The number of bytes that `encodeMessage` writes. */
export function encodedLength (message: OutgoingMessage): number {
  return listSectionLength(headerFields(message.header)) +
    mapSectionLength(message.deliveryAnnotations) +
    mapSectionLength(message.messageAnnotations) +
    listSectionLength(propertyFields(message.properties)) +
    mapSectionLength(message.applicationProperties) +
    bodyLength(message.body) +
    mapSectionLength(message.footer)
}

/**
 * Writes the message in its smallest encoding to `target`, which must have room for `encodedLength(message)` bytes
 * from `at` on. Returns the new position. The sections have the order of AMQP 1.0, part 3, 3.2; what is absent or empty
 * gets no section. Arrays must have no `arrayFault`.
 */
export function encodeMessage (message: OutgoingMessage, target: Buffer, at: number): number {
  let position = writeListSection(SECTION.header, headerFields(message.header), target, at)
  position = writeMapSection(SECTION.deliveryAnnotations, message.deliveryAnnotations, target, position)
  position = writeMapSection(SECTION.messageAnnotations, message.messageAnnotations, target, position)
  position = writeListSection(SECTION.properties, propertyFields(message.properties), target, position)
  position = writeMapSection(SECTION.applicationProperties, message.applicationProperties, target, position)
  position = writeBody(message.body, target, position)
  return writeMapSection(SECTION.footer, message.footer, target, position)
}

function writeBody (body: OutgoingMessage['body'], target: Buffer, at: number): number {
  if (!(body instanceof Uint8Array)) return writeTypedBody(body, target, at)
  const position = writeDataSectionHeader(target, at, body.length)
  target.set(body, position)
  return position + body.length
}

/** The number of bytes before the body in a data section. */
export function dataSectionHeaderLength (bodyLength: number): 5 | 8 {
  return bodyLength <= 0xff ? 5 : 8
}

/** Writes the header of a data section with `bodyLength` bytes of body. Returns the new position. */
export function writeDataSectionHeader (target: Buffer, at: number, bodyLength: number): number {
  const position = writeDescriptor(SECTION.data, target, at)
  if (bodyLength <= 0xff) {
    target[position] = CODE.binary8
    target[position + 1] = bodyLength
    return position + 2
  }
  target[position] = CODE.binary32
  return target.writeUInt32BE(bodyLength, position + 1)
}

function bodyLength (body: Uint8Array | TypedBody): number {
  if (body instanceof Uint8Array) return dataSectionHeaderLength(body.length) + body.length
  if (body.kind === 'value') return DESCRIPTOR_LENGTH + valueLength(body.value)
  let length = 0
  for (const value of body.sections) length += DESCRIPTOR_LENGTH + valueLength({ type: 'list', value })
  return length
}

function writeTypedBody (body: TypedBody, target: Buffer, at: number): number {
  if (body.kind === 'value') return writeValue(body.value, target, writeDescriptor(SECTION.amqpValue, target, at))
  let position = at
  for (const value of body.sections) {
    position = writeValue({ type: 'list', value }, target, writeDescriptor(SECTION.amqpSequence, target, position))
  }
  return position
}

function mapSectionLength (map: AmqpMap | undefined): number {
  return map === undefined || map.length === 0 ? 0 : DESCRIPTOR_LENGTH + mapLength(map)
}

function writeMapSection (section: number, map: AmqpMap | undefined, target: Buffer, at: number): number {
  if (map === undefined || map.length === 0) return at
  return writeValue({ type: 'map', value: map }, target, writeDescriptor(section, target, at))
}

function listSectionLength (fields: readonly AmqpValue[]): number {
  return fields.length === 0 ? 0 : DESCRIPTOR_LENGTH + valueLength({ type: 'list', value: fields })
}

function writeListSection (section: number, fields: readonly AmqpValue[], target: Buffer, at: number): number {
  if (fields.length === 0) return at
  return writeValue({ type: 'list', value: fields }, target, writeDescriptor(section, target, at))
}

function writeDescriptor (section: number, target: Buffer, at: number): number {
  target[at] = CODE.described
  target[at + 1] = CODE.smallUlong
  target[at + 2] = section
  return at + DESCRIPTOR_LENGTH
}

const ABSENT: AmqpValue = { type: 'null' }

const NO_FIELDS: readonly AmqpValue[] = []

/** The fields in the order of AMQP 1.0, part 3, 3.2.1, without absent ones at the end. */
function headerFields (header: AmqpHeader | undefined): readonly AmqpValue[] {
  return header === undefined
    ? NO_FIELDS
    : withoutAbsentEnd([
      flag(header.durable),
      number('ubyte', header.priority),
      number('uint', header.ttlMs),
      flag(header.firstAcquirer),
      number('uint', header.deliveryCount)
    ])
}

/** The fields in the order of AMQP 1.0, part 3, 3.2.4, without absent ones at the end. */
function propertyFields (properties: AmqpProperties | undefined): readonly AmqpValue[] {
  return properties === undefined
    ? NO_FIELDS
    : withoutAbsentEnd([
      properties.messageId ?? ABSENT,
      properties.userId === undefined ? ABSENT : binary(properties.userId),
      properties.to ?? ABSENT,
      text('string', properties.subject),
      properties.replyTo ?? ABSENT,
      properties.correlationId ?? ABSENT,
      text('symbol', properties.contentType),
      text('symbol', properties.contentEncoding),
      timestamp(properties.absoluteExpiryTime),
      timestamp(properties.creationTime),
      text('string', properties.groupId),
      number('uint', properties.groupSequence),
      text('string', properties.replyToGroupId)
    ])
}

function withoutAbsentEnd (fields: AmqpValue[]): readonly AmqpValue[] {
  while (fields.at(-1)?.type === 'null') fields.pop()
  return fields
}

function binary (value: Uint8Array): AmqpValue {
  return { type: 'binary', value }
}

function text (type: 'string' | 'symbol', value: string | undefined): AmqpValue {
  return value === undefined ? ABSENT : { type, value }
}

function timestamp (value: bigint | undefined): AmqpValue {
  return value === undefined ? ABSENT : { type: 'timestamp', value }
}

function number (type: 'ubyte' | 'uint', value: number | undefined): AmqpValue {
  return value === undefined ? ABSENT : { type, value }
}

function flag (value: boolean | undefined): AmqpValue {
  return value === undefined ? ABSENT : { type: 'boolean', value }
}
