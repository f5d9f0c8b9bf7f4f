import { crc32 } from 'node:zlib'

export type EntryFields =
  | { readonly body: Buffer }
  | {
    readonly body: Buffer
    readonly compression: number
    readonly recordCount: number
    readonly uncompressedLength: number
  }

export interface ChunkFields {
  readonly entries: readonly EntryFields[]
  readonly firstOffset?: bigint
  readonly timestamp?: bigint
  readonly chunkType?: number
  /** Default: the number of entries. The other defaults follow from the entries as well. */
  readonly entryCount?: number
  readonly recordCount?: number
  readonly crc?: number
  readonly bloomSize?: number
  readonly trailerLength?: number
}

/** A chunk as the broker delivers it. The given fields may contradict the entries. */
export function encodeChunk (fields: ChunkFields): Buffer {
  const data = Buffer.concat(fields.entries.map(encodeEntry))
  const records = fields.entries.reduce((sum, entry) => sum + ('recordCount' in entry ? entry.recordCount : 1), 0)
  const header = Buffer.alloc(48)
  header.writeUInt8(0x50, 0)
  header.writeUInt8(fields.chunkType ?? 0, 1)
  header.writeUInt16BE(fields.entryCount ?? fields.entries.length, 2)
  header.writeUInt32BE(fields.recordCount ?? records, 4)
  header.writeBigInt64BE(fields.timestamp ?? 1_700_000_000_000n, 8)
  header.writeBigUInt64BE(1n, 16)
  header.writeBigUInt64BE(fields.firstOffset ?? 0n, 24)
  header.writeUInt32BE(fields.crc ?? crc32(data), 32)
  header.writeUInt32BE(data.length, 36)
  header.writeUInt32BE(fields.trailerLength ?? 0, 40)
  header.writeUInt8(fields.bloomSize ?? 16, 44)
  return Buffer.concat([header, data])
}

function encodeEntry (entry: EntryFields): Buffer {
  if (!('compression' in entry)) {
    const header = Buffer.alloc(4)
    header.writeUInt32BE(entry.body.length, 0)
    return Buffer.concat([header, entry.body])
  }
  const header = Buffer.alloc(11)
  header.writeUInt8(0x80 | (entry.compression << 4), 0)
  header.writeUInt16BE(entry.recordCount, 1)
  header.writeUInt32BE(entry.uncompressedLength, 3)
  header.writeUInt32BE(entry.body.length, 7)
  return Buffer.concat([header, entry.body])
}
