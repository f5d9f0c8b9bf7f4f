import { CommandKey } from './keys.ts'

/**
 * Publish v1 => PublisherId uint8, Messages [Message]
 *   Message  => PublishingId uint64, Body bytes // int32 length, or a sub-entry batch: see `writeSubEntryHeader`
 * Publish v2 => PublisherId uint8, Messages [Message] // since 3.13, with the feature flag stream_filtering
 *   Message  => PublishingId uint64, FilterValue string, Body bytes // int16 length, -1 for none; no sub-entry batches
 *
 * The bytes that the header of a frame takes. They count towards frame_max; the frame's size field does not
 * (rabbit_stream_core, frame_size_ok).
 */
export const PUBLISH_FRAME_OVERHEAD_BYTES = 9
/** The publishing id and the length before each message. */
export const PUBLISH_ENTRY_OVERHEAD_BYTES = 12

/** The publishing id before each entry. */
export const PUBLISHING_ID_BYTES = 8
/** A sub-entry batch up to its records, with the publishing id. */
export const SUB_ENTRY_OVERHEAD_BYTES = PUBLISHING_ID_BYTES + 11

/** The length before each filter value, in version 2. */
export const FILTER_VALUE_LENGTH_BYTES = 2
/** In place of the length, for a message without a filter value. */
export const NO_FILTER_VALUE = 0xffff

/** The versions of Publish: 2 has a filter value, or none, in every entry. */
export type PublishVersion = 1 | 2

/** A Publish frame up to its first message, with the size field. */
export function encodePublishHeader (
  publisherId: number, messageCount: number, entriesBytes: number, version: PublishVersion
): Buffer {
  const header = Buffer.allocUnsafe(4 + PUBLISH_FRAME_OVERHEAD_BYTES)
  header.writeUInt32BE(PUBLISH_FRAME_OVERHEAD_BYTES + entriesBytes, 0)
  header.writeUInt16BE(CommandKey.publish, 4)
  header.writeUInt16BE(version, 6)
  header.writeUInt8(publisherId, 8)
  header.writeUInt32BE(messageCount, 9)
  return header
}

/**
 * The header of a sub-entry batch, behind its publishing id:
 *
 * 1 (1 bit), Compression (3 bits), Reserved (4 bits), MessageCount uint16, UncompressedLength uint32, Length uint32
 *
 * The compressed bytes follow, which are `(Length uint32, Message)*` when they are expanded. From 4.3.5 on the broker
 * refuses an uncompressed length above 64 MiB (stream.max_uncompressed_sub_entry_batch_size).
 *
 * @param compression 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd
 * @returns where the compressed bytes go
 */
export function writeSubEntryHeader (
  to: Buffer, at: number, header: {
    compression: number, messageCount: number, uncompressedLength: number, length: number
  }
): number {
  const { compression, messageCount, uncompressedLength, length } = header
  to.writeUInt8(0x80 | (compression << 4), at)
  to.writeUInt16BE(messageCount, at + 1)
  to.writeUInt32BE(uncompressedLength, at + 3)
  return to.writeUInt32BE(length, at + 7)
}
