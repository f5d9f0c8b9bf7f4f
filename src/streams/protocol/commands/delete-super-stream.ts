import { readNothing, type Request } from './command.ts'

/**
 * SuperStream string
 *
 * The broker deletes the exchange of that name, and every stream that is bound to it, whatever the exchange is.
 */
export const deleteSuperStream: Request<{ superStream: string }, void> = {
  name: 'deleteSuperStream',
  write (writer, { superStream }) { writer.string(superStream) },
  read: readNothing
}
