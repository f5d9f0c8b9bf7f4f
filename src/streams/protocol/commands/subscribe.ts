import { writeOffsetSpec, type OffsetSpec } from '../offset-spec.ts'
import { readNothing, type Request } from './command.ts'

/**
 * SubscriptionId uint8, Stream string, OffsetSpecification, Credit uint16, Properties [Key string, Value string]
 *
 * One credit is one chunk. The broker accepts a frame that ends after the credit, without a count of properties, and a
 * count of 0 as well.
 */
export const subscribe: Request<
  { subscriptionId: number, stream: string, spec: OffsetSpec, credit: number, properties: ReadonlyMap<string, string> },
  void
> = {
  name: 'subscribe',
  write (writer, { subscriptionId, stream, spec, credit, properties }) {
    writer.u8(subscriptionId).string(stream)
    writeOffsetSpec(writer, spec)
    writer.u16(credit).map(properties)
  },
  read: readNothing
}
