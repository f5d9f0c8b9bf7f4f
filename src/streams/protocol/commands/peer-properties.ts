import type { Request } from './command.ts'

/** Properties [Key string, Value string] -> Properties [Key string, Value string] */
export const peerProperties: Request<{ properties: ReadonlyMap<string, string> }, ReadonlyMap<string, string>> = {
  name: 'peerProperties',
  write (writer, { properties }) { writer.map(properties) },
  read (reader) { return reader.map((from) => from.string()) }
}
