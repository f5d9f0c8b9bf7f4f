import type { Request } from './command.ts'

/**
 * SuperStream string -> Partitions [Stream string]
 *
 * The broker looks for an exchange of that name and names the streams that are bound to it, whatever the exchange is.
 */
export const partitions: Request<{ superStream: string }, string[]> = {
  name: 'partitions',
  write (writer, { superStream }) { writer.string(superStream) },
  read (reader) { return reader.array((from) => from.string()) }
}
