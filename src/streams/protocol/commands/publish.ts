import { CommandKey } from './keys.ts'

/**
 * Publish v1 => PublisherId uint8, Messages [Message]
 *   Message  => PublishingId uint64, Body bytes // int32 length; a sub-entry batch has its highest bit set
 *
 * What these take of a frame whose size is bounded by frame_max; the size field itself does not count
 * (rabbit_stream_core, frame_size_ok).
 */
export const PUBLISH_FRAME_OVERHEAD_BYTES = 9
/** Publishing id and length in front of each message. */
export const PUBLISH_ENTRY_OVERHEAD_BYTES = 12

const VERSION_1 = 1

/** Everything of a Publish frame that stands before its first message. */
export function encodePublishHeader (publisherId: number, messageCount: number, entriesBytes: number): Buffer {
  const header = Buffer.allocUnsafe(4 + PUBLISH_FRAME_OVERHEAD_BYTES)
  header.writeUInt32BE(PUBLISH_FRAME_OVERHEAD_BYTES + entriesBytes, 0)
  header.writeUInt16BE(CommandKey.publish, 4)
  header.writeUInt16BE(VERSION_1, 6)
  header.writeUInt8(publisherId, 8)
  header.writeUInt32BE(messageCount, 9)
  return header
}
