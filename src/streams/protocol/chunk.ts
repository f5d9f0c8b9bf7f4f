import { crc32 } from 'node:zlib'
import { EntryCursor } from './entry-cursor.ts'
import { ChunkError } from './errors.ts'
import { readU64AsNumber } from './frame-reader.ts'

// The high half is the magic number, the low half the version. Osiris documents the format as version 1 and writes 0
// (osiris.hrl).
const MAGIC_AND_VERSION = 0x50
const HEADER_BYTES = 48

/** What a chunk holds (`Chunk.chunkType`). A subscription gets user chunks only, unless it asks for others. */
export const ChunkType = { user: 0, trackingDelta: 1, trackingSnapshot: 2 } as const

/**
 * The unit that the broker stores, replicates and delivers. The checksum and the header are already verified; the
 * entries are read on demand.
 */
export class Chunk {
  readonly firstOffset: number
  /** When the leader wrote the chunk, milliseconds since the epoch. */
  readonly timestamp: number
  /** The number of messages. */
  readonly recordCount: number
  /** The number of entries: a sub-entry batch is one entry with many records. */
  readonly entryCount: number
  readonly chunkType: number
  /** The encoded entries. */
  readonly data: Buffer

  constructor (fields: {
    firstOffset: number
    timestamp: number
    recordCount: number
    entryCount: number
    chunkType: number
    data: Buffer
  }) {
    this.firstOffset = fields.firstOffset
    this.timestamp = fields.timestamp
    this.recordCount = fields.recordCount
    this.entryCount = fields.entryCount
    this.chunkType = fields.chunkType
    this.data = fields.data
  }

  /** The memory that the chunk keeps allocated: the whole buffer behind `data`. */
  get byteLength (): number {
    return this.data.buffer.byteLength
  }

  /** The offset after the last record. */
  get endOffset (): number {
    return this.firstOffset + this.recordCount
  }

  /** A cursor before the first entry. */
  entries (): EntryCursor {
    return new EntryCursor(this.data, this.firstOffset, this.entryCount, this.recordCount)
  }
}

/**
 * MagicAndVersion uint8 // 0x50
 * ChunkType       uint8
 * EntryCount      uint16
 * RecordCount     uint32
 * Timestamp       int64
 * Epoch           uint64
 * FirstOffset     uint64
 * DataCrc         uint32 // CRC-32 (IEEE) of the data
 * DataLength      uint32
 * TrailerLength   uint32
 * BloomSize       uint8
 * Reserved        uint24
 * Data
 *
 * The header has the lengths of a trailer and of a Bloom filter, but the broker does not deliver either of them
 * (osiris_log, send_file), so the lengths are ignored.
 *
 * @param isOwn true: the chunk keeps the frame's buffer; false: it copies its data
 * @throws ChunkError
 */
export function parseChunk (frame: Buffer, start: number, end: number = frame.length, isOwn = false): Chunk {
  if (end > frame.length || end - start < HEADER_BYTES) {
    throw new ChunkError(`a chunk of ${end - start} bytes has no room for its header`)
  }
  const magicAndVersion = frame.readUInt8(start)
  if (magicAndVersion !== MAGIC_AND_VERSION) {
    throw new ChunkError(`0x${magicAndVersion.toString(16)} does not start a chunk of a known version`)
  }
  const fields = {
    chunkType: frame.readUInt8(start + 1),
    entryCount: frame.readUInt16BE(start + 2),
    recordCount: frame.readUInt32BE(start + 4),
    timestamp: Number(frame.readBigInt64BE(start + 8)),
    firstOffset: readU64AsNumber(frame, start + 24)
  }
  if (!Number.isSafeInteger(fields.firstOffset + fields.recordCount)) {
    throw new ChunkError('a chunk reaches beyond offset 2^53 - 1')
  }
  const dataStart = start + HEADER_BYTES
  const dataLength = frame.readUInt32BE(start + 36)
  if (dataLength > end - dataStart) {
    throw new ChunkError(`a chunk at ${fields.firstOffset} announces ${dataLength} bytes and has ${end - dataStart}`)
  }
  const data = frame.subarray(dataStart, dataStart + dataLength)
  if (crc32(data) !== frame.readUInt32BE(start + 32)) {
    throw new ChunkError(`the checksum of the chunk at ${fields.firstOffset} is wrong`)
  }
  return new Chunk({ ...fields, data: isOwn ? data : copyOf(data) })
}

function copyOf (data: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(data.length)
  data.copy(copy)
  return copy
}
