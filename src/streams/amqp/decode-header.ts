import { AmqpDecodeError } from './decode-error.ts'
import type { AmqpHeader } from './message.ts'
import type { AmqpValue } from './value.ts'

const MAX_UINT = 0xffff_ffff

/**
 * The fields of the header section, in the order of AMQP 1.0, part 3, 3.2.1. The last ones may be missing.
 *
 * Where clients differ, this accepts more than the specification: any whole number in place of a ubyte or a uint. A
 * field of another type is a fault of the message.
 */
export function decodeHeader (fields: readonly AmqpValue[]): AmqpHeader {
  if (fields.length > 5) throw new AmqpDecodeError('the header section has more than 5 fields')
  const header: AmqpHeader = {}
  for (const [index, field] of fields.entries()) {
    if (field.type !== 'null') setField(header, index, field)
  }
  return header
}

function setField (header: AmqpHeader, index: number, field: AmqpValue): void {
  switch (index) {
    case 0: header.durable = booleanOf(field); break
    case 1: header.priority = wholeNumberOf(field, 0xff); break
    case 2: header.ttlMs = wholeNumberOf(field, MAX_UINT); break
    case 3: header.firstAcquirer = booleanOf(field); break
    case 4: header.deliveryCount = wholeNumberOf(field, MAX_UINT); break
  }
}

function booleanOf (field: AmqpValue): boolean {
  if (field.type === 'boolean') return field.value
  throw new AmqpDecodeError(`a flag of the header cannot be a ${field.type}`)
}

function wholeNumberOf (field: AmqpValue, most: number): number {
  switch (field.type) {
    case 'ubyte': case 'ushort': case 'uint': case 'byte': case 'short': case 'int': case 'ulong': case 'long':
      if (field.value >= 0 && field.value <= most) return Number(field.value)
      throw new AmqpDecodeError(`a number of the header is beyond ${most}`)
    default: throw new AmqpDecodeError(`a number of the header cannot be a ${field.type}`)
  }
}
