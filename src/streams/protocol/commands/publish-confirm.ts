import { MalformedFrameError } from '../errors.ts'
import { readU64AsNumber } from '../frame-reader.ts'
import type { Push } from './command.ts'

/**
 * Publishing ids in their frame, read when asked for, because confirms come by the thousand. Valid only until the
 * handler returns.
 */
export interface PublishingIds {
  readonly length: number
  /** @throws RangeError beyond the length */
  at (index: number): number
}

/** PublisherId uint8, PublishingIds [uint64] */
export const publishConfirm: Push<{ publisherId: number, publishingIds: PublishingIds }> = {
  name: 'publishConfirm',
  read (reader) {
    const publisherId = reader.u8()
    const count = reader.u32()
    const { buffer, start, end } = reader.rest()
    if (count * 8 > end - start) throw new MalformedFrameError(`a confirm of ${count} messages in ${end - start} bytes`)
    return { publisherId, publishingIds: new PublishingIdsView(buffer, start, count) }
  }
}

class PublishingIdsView implements PublishingIds {
  readonly #buffer: Buffer
  readonly #start: number
  readonly length: number

  constructor (buffer: Buffer, start: number, length: number) {
    this.#buffer = buffer
    this.#start = start
    this.length = length
    // All ids are checked before the handler is called, so it gets every id of the frame or none.
    for (let index = 0; index < length; index++) {
      if (!Number.isSafeInteger(this.at(index))) {
        throw new MalformedFrameError('the broker confirmed a publishing id above 2^53 - 1, which was never sent')
      }
    }
  }

  at (index: number): number {
    if (!(index >= 0 && index < this.length)) throw new RangeError(`publishing id ${index} of ${this.length}`)
    return readU64AsNumber(this.#buffer, this.#start + index * 8)
  }
}
