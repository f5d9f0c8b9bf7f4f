import type { Request } from './command.ts'

/**
 * Reference string, Stream string -> Offset uint64
 *
 * When no offset is stored the broker answers with the code noOffset (19).
 */
export const queryOffset: Request<{ reference: string, stream: string }, bigint> = {
  name: 'queryOffset',
  write (writer, { reference, stream }) { writer.string(reference).string(stream) },
  read (reader) { return reader.u64() }
}
