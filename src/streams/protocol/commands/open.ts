import type { Request } from './command.ts'

/**
 * VirtualHost string -> Properties [Key string, Value string]
 *
 * `advertised_host` and `advertised_port` name the node that was reached. A refusal has no properties.
 */
export const open: Request<{ virtualHost: string }, ReadonlyMap<string, string>> = {
  name: 'open',
  write (writer, { virtualHost }) { writer.string(virtualHost) },
  read (reader) { return reader.remaining === 0 ? new Map() : reader.map((from) => from.string()) }
}
