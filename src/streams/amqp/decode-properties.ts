import { AmqpDecodeError } from './decode-error.ts'
import type { AmqpProperties } from './message.ts'
import type { AmqpValue } from './value.ts'

/**
 * The fields of the properties section, in the order of AMQP 1.0, part 3, 3.2.4. The last ones may be missing.
 *
 * Where clients differ, this accepts more than the specification: a string in place of a symbol and the reverse, and
 * any scalar as a message id (clients that accept "any object" as an id write what they are given).
 */
export function decodeProperties (fields: readonly AmqpValue[]): AmqpProperties {
  if (fields.length > 13) throw new AmqpDecodeError('the properties section has more than 13 fields')
  const properties: AmqpProperties = {}
  for (const [index, field] of fields.entries()) {
    if (field.type !== 'null') setField(properties, index, field)
  }
  return properties
}

function setField (properties: AmqpProperties, index: number, field: AmqpValue): void {
  switch (index) {
    case 0: properties.messageId = scalarOf(field); break
    case 1: properties.userId = binaryOf(field); break
    case 2: properties.to = field; break
    case 3: properties.subject = textOf(field); break
    case 4: properties.replyTo = field; break
    case 5: properties.correlationId = scalarOf(field); break
    case 6: properties.contentType = textOf(field); break
    case 7: properties.contentEncoding = textOf(field); break
    case 8: properties.absoluteExpiryTime = timestampOf(field); break
    case 9: properties.creationTime = timestampOf(field); break
    case 10: properties.groupId = textOf(field); break
    case 11: properties.groupSequence = sequenceNumberOf(field); break
    case 12: properties.replyToGroupId = textOf(field); break
  }
}

function scalarOf (field: AmqpValue): AmqpValue {
  switch (field.type) {
    case 'list': case 'map': case 'array': case 'described':
      throw new AmqpDecodeError(`a message id cannot be a ${field.type}`)
    default: return field
  }
}

function binaryOf (field: AmqpValue): Uint8Array {
  if (field.type === 'binary') return field.value
  if (field.type === 'string') return Buffer.from(field.value)
  throw new AmqpDecodeError(`a user id cannot be a ${field.type}`)
}

function textOf (field: AmqpValue): string {
  if (field.type === 'string' || field.type === 'symbol') return field.value
  throw new AmqpDecodeError(`a text field cannot be a ${field.type}`)
}

function timestampOf (field: AmqpValue): bigint {
  if (field.type === 'timestamp') return field.value
  throw new AmqpDecodeError(`a time cannot be a ${field.type}`)
}

function sequenceNumberOf (field: AmqpValue): number {
  if (field.type === 'uint') return field.value
  throw new AmqpDecodeError(`a group sequence cannot be a ${field.type}`)
}
