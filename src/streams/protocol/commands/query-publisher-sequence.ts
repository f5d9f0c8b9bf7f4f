import type { Request } from './command.ts'

/**
 * Reference string, Stream string -> Sequence uint64
 *
 * The sequence is 0 also for a reference that the broker does not know.
 */
export const queryPublisherSequence: Request<{ reference: string, stream: string }, bigint> = {
  name: 'queryPublisherSequence',
  write (writer, { reference, stream }) { writer.string(reference).string(stream) },
  read (reader) { return reader.u64() }
}
