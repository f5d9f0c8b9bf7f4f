import { readNothing, type Request } from './command.ts'

/** Stream string */
export const deleteStream: Request<{ stream: string }, void> = {
  name: 'deleteStream',
  write (writer, { stream }) { writer.string(stream) },
  read: readNothing
}
