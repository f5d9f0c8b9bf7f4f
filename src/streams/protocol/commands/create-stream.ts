import { readNothing, type Request } from './command.ts'

/** Stream string, Arguments [Key string, Value string] */
export const createStream: Request<{ stream: string, args: ReadonlyMap<string, string> }, void> = {
  name: 'createStream',
  write (writer, { stream, args }) { writer.string(stream).map(args) },
  read: readNothing
}
