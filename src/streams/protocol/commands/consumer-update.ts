import { FrameWriter } from '../frame-writer.ts'
import { writeOffsetSpec, type OffsetSpec } from '../offset-spec.ts'
import { ResponseCode } from '../response-codes.ts'
import type { Push } from './command.ts'
import { CommandKey, RESPONSE_BIT } from './keys.ts'

/**
 * CorrelationId uint32, SubscriptionId uint8, Active uint8
 *
 * Except for Close, the only request of the broker. It closes the connection when no answer comes within a minute.
 */
export const consumerUpdate: Push<{ correlationId: number, subscriptionId: number, isActive: boolean }> = {
  name: 'consumerUpdate',
  read (reader) { return { correlationId: reader.u32(), subscriptionId: reader.u8(), isActive: reader.u8() !== 0 } }
}

/**
 * CorrelationId uint32, ResponseCode uint16, OffsetSpecification
 *
 * Without a specification the one of the subscription applies.
 */
export function encodeConsumerUpdateAnswer (correlationId: number, spec: OffsetSpec | undefined): Buffer {
  const writer = new FrameWriter()
    .u16(CommandKey.consumerUpdate | RESPONSE_BIT)
    .u16(1)
    .u32(correlationId)
    .u16(ResponseCode.ok)
  writeOffsetSpec(writer, spec)
  return writer.finish()
}
