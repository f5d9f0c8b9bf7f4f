import { readResolvedOffset, writeOffsetSpec, type OffsetSpec } from '../offset-spec.ts'
import type { Request } from './command.ts'

/**
 * Stream string, OffsetSpecification, Properties [Key string, Value string] -> OffsetType uint16, Offset uint64
 *
 * From RabbitMQ 4.3 on. The type in the answer is always 4 (offset).
 */
export const resolveOffsetSpec: Request<
  { stream: string, spec: OffsetSpec, properties: ReadonlyMap<string, string> },
  number
> = {
  name: 'resolveOffsetSpec',
  write (writer, { stream, spec, properties }) {
    writer.string(stream)
    writeOffsetSpec(writer, spec)
    writer.map(properties)
  },
  read: readResolvedOffset
}
