import { readNothing, type Request } from './command.ts'

/**
 * PublisherId uint8, Reference string, Stream string
 *
 * With an empty reference the broker does not deduplicate.
 */
export const declarePublisher: Request<{ publisherId: number, reference: string, stream: string }, void> = {
  name: 'declarePublisher',
  write (writer, { publisherId, reference, stream }) { writer.u8(publisherId).string(reference).string(stream) },
  read: readNothing
}
