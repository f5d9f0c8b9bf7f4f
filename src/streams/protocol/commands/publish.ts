import { CommandKey } from './keys.ts'

/**
 * Publish v1 => PublisherId uint8, Messages [Message]
 *   Message  => PublishingId uint64, Body bytes // int32 length; a sub-entry batch has its highest bit set
 *
 * The bytes that the header of a frame takes. They count towards frame_max; the frame's size field does not
 * (rabbit_stream_core, frame_size_ok).
 */
export const PUBLISH_FRAME_OVERHEAD_BYTES = 9
/** The publishing id and the length before each message. */
export const PUBLISH_ENTRY_OVERHEAD_BYTES = 12

const VERSION_1 = 1

/** A Publish frame up to its first message, with the size field. */
export function encodePublishHeader (publisherId: number, messageCount: number, entriesBytes: number): Buffer {
  const header = Buffer.allocUnsafe(4 + PUBLISH_FRAME_OVERHEAD_BYTES)
  header.writeUInt32BE(PUBLISH_FRAME_OVERHEAD_BYTES + entriesBytes, 0)
  header.writeUInt16BE(CommandKey.publish, 4)
  header.writeUInt16BE(VERSION_1, 6)
  header.writeUInt8(publisherId, 8)
  header.writeUInt32BE(messageCount, 9)
  return header
}
