import { ENTRY_LENGTH_BYTES, type ReadMessage, type ReadPiece } from '../../streams/index.ts'
import type { BatchSlice } from '../batch-json.ts'
import type { BatchFrame } from '../batch-text.ts'
import { isLarge } from '../large-json.ts'
import { escapeSeparators } from '../separators.ts'
import { eventSlices } from './event-text.ts'

/** A batch of events: an array, beside which nothing is said. */
export const EVENTS_FRAME: BatchFrame<unknown> = { before: '[', between: ',', after: () => ']' }

/**
 * The events of a batch with commas between them, in slices of less than a few milliseconds of work.
 *
 * @param sourceOf the `source` of the events that stand for messages which are not events, by the index of the piece
 */
export function * eventBatchSlices (
  pieces: readonly ReadPiece[], sourceOf: (piece: number) => string
): Generator<BatchSlice, void> {
  let isFirst = true
  for (const [piece, content] of pieces.entries()) {
    const source = sourceOf(piece)
    for (const message of messagesOf(content)) {
      const reached = message.offset + (message.kind === 'unreadable' ? message.records : 1)
      let text = isFirst ? '' : EVENTS_FRAME.between
      isFirst = false
      for (const slice of eventSlices(message, source)) {
        text += escapeSeparators(slice)
        if (!isLarge(message.bytes.length)) continue
        yield { text, reached: undefined, piece }
        text = ''
      }
      yield { text, reached, piece }
    }
  }
}

function * messagesOf (piece: ReadPiece): Generator<ReadMessage, void> {
  if (piece.kind === 'unreadable') return yield piece
  const { data, start, count, offset, timestamp } = piece
  for (let index = 0, at = start; index < count; index++) {
    const from = at + ENTRY_LENGTH_BYTES
    at = from + data.readUInt32BE(at)
    yield { kind: 'entry', offset: offset + index, timestamp, bytes: data.subarray(from, at) }
  }
}
