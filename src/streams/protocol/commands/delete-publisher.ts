import { readNothing, type Request } from './command.ts'

/** PublisherId uint8 */
export const deletePublisher: Request<{ publisherId: number }, void> = {
  name: 'deletePublisher',
  write (writer, { publisherId }) { writer.u8(publisherId) },
  read: readNothing
}
