import { MalformedFrameError } from '../errors.ts'
import type { Push } from './command.ts'

export interface PublishFailure { readonly publishingId: number, readonly responseCode: number }

/** PublisherId uint8, Errors [PublishingId uint64, Code uint16] */
export const publishError: Push<{ publisherId: number, failures: PublishFailure[] }> = {
  name: 'publishError',
  read (reader) {
    const publisherId = reader.u8()
    const failures = reader.array((from) => {
      const publishingId = from.u64AsNumber()
      if (publishingId === undefined) {
        throw new MalformedFrameError('the broker refused a publishing id above 2^53 - 1, which was never sent')
      }
      return { publishingId, responseCode: from.u16() }
    })
    return { publisherId, failures }
  }
}
