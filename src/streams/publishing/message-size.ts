import { canFilter, filtersUnsupported } from '../connections/filtering.ts'
import { StreamsError } from '../errors.ts'
import type { Entries } from '../entries.ts'
import { PUBLISH_ENTRY_OVERHEAD_BYTES, PUBLISH_FRAME_OVERHEAD_BYTES, type Connection } from '../protocol/index.ts'

/** How many bytes of entries fit into a frame. */
export function maxEntryBytes (connection: Connection): number {
  return connection.frameMaxBytes - PUBLISH_FRAME_OVERHEAD_BYTES
}

/**
 * @param firstIndex index of the batch's first message in its request
 * @throws StreamsError `message_too_large` when a message does not fit into a frame; `unsupported_by_broker` when the
 *   batch has filter values and the node does not know them
 */
export function refuseUnsendableBatch (batch: Entries, firstIndex: number, connection: Connection): void {
  if (batch.hasFilterValues && !canFilter(connection)) throw filtersUnsupported()
  const maxBytes = maxEntryBytes(connection)
  if (batch.byteLength <= maxBytes) return
  for (let index = 0; index < batch.count; index++) {
    if (batch.entryLength(index) <= maxBytes) continue
    throw messageTooLarge(firstIndex + index * batch.messagesPerEntry, maxBytes)
  }
}

/**
 * For a message that is not encoded yet, when at least `bytes` of it are known.
 *
 * @param index of the message in its request
 * @throws StreamsError `message_too_large` when these alone do not fit into the largest frame
 */
export function refuseUnsendable (index: number, bytes: number, frameMaxBytes: number): void {
  const maxBytes = frameMaxBytes - PUBLISH_FRAME_OVERHEAD_BYTES
  if (bytes + PUBLISH_ENTRY_OVERHEAD_BYTES > maxBytes) throw messageTooLarge(index, maxBytes)
}

export function messageTooLarge (index: number, maxBytes: number): StreamsError {
  const limitBytes = maxBytes - PUBLISH_ENTRY_OVERHEAD_BYTES
  return new StreamsError(
    'message_too_large',
    `message ${index} does not fit into a frame of the broker: with its properties it may have ${limitBytes} bytes`,
    {
      details: { index, limitBytes }
    }
  )
}
