import { expandGzip } from './compression/gzip.ts'
import { expandLz4 } from './compression/lz4.ts'
import { corrupt } from './compression/output.ts'
import { expandSnappy } from './compression/snappy.ts'
import { expandZstd } from './compression/zstd.ts'
import { CompressionError } from './errors.ts'

/** The compressions, indexed by the three bits in the header of a sub-entry batch. */
export const compressionNames = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

/** Expands to exactly `length` bytes. Throws CompressionError, and never allocates more than that. */
type Expand = (bytes: Uint8Array, length: number) => Buffer

const EXPAND: Record<(typeof compressionNames)[number], Expand> = {
  none: (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
  gzip: expandGzip,
  snappy: expandSnappy,
  lz4: expandLz4,
  zstd: expandZstd
}

const MAX_RECORD_BYTES = 0x7fff_ffff
const RECORD_HEADER_BYTES = 4

/**
 * The records of a sub-entry batch, in order: one buffer, and where each record ends. A view often takes more memory
 * than its record, and a batch of 300 bytes may hold 65,535 records, so a view is made only when it is asked for.
 */
export class SubBatchRecords implements Iterable<Buffer> {
  /** The expanded records, each behind its length. */
  readonly data: Buffer
  /** Where each record ends in `data`. */
  readonly ends: Uint32Array
  /** The memory this keeps allocated, without the bytes it was expanded from. */
  readonly byteLength: number

  constructor (expanded: Buffer, ends: Uint32Array, byteLength: number) {
    this.data = expanded
    this.ends = ends
    this.byteLength = byteLength
  }

  get length (): number {
    return this.ends.length
  }

  /** Where a record begins in `data`. */
  startOf (index: number): number {
    return (this.ends[index - 1] ?? 0) + RECORD_HEADER_BYTES
  }

  lengthOf (index: number): number {
    return (this.ends[index] ?? 0) - this.startOf(index)
  }

  /** Yields a view of each record. */
  * [Symbol.iterator] (): Generator<Buffer> {
    for (const [index, end] of this.ends.entries()) yield this.data.subarray(this.startOf(index), end)
  }
}

/**
 * Expands a sub-entry batch.
 *
 * Records => [Length uint32, Body] // as many as the batch says, the highest bit of a length is 0
 *
 * A publisher wrote the counts and lengths, and brokers before 4.3.5 do not check them, so they are trusted only up to
 * `maxBytes`.
 *
 * @param uncompressedLength the length that the batch announces
 * @param maxBytes the most that may be allocated
 * @throws CompressionError
 */
export function expandSubBatch (
  compression: number,
  bytes: Uint8Array,
  uncompressedLength: number,
  recordCount: number,
  maxBytes: number
): SubBatchRecords {
  const name = compressionNames[compression]
  if (name === undefined) throw new CompressionError('unsupported', `compression ${compression} is unknown`)
  // Without compression the bytes themselves have the length, and the announced one is ignored.
  const length = name === 'none' ? bytes.length : uncompressedLength
  if (length > maxBytes) {
    throw new CompressionError('too_large', `a sub-entry batch of ${length} bytes is above the limit of ${maxBytes}`)
  }
  const expanded = EXPAND[name](bytes, length)
  const ends = recordEnds(expanded, recordCount)
  return new SubBatchRecords(expanded, ends, ends.byteLength + (name === 'none' ? 0 : expanded.length))
}

function recordEnds (expanded: Buffer, recordCount: number): Uint32Array {
  if (recordCount * RECORD_HEADER_BYTES > expanded.length) throw corrupt('has fewer records than announced')
  const ends = new Uint32Array(recordCount)
  let position = 0
  for (let index = 0; index < recordCount; index++) {
    const start = position + RECORD_HEADER_BYTES
    if (start > expanded.length) throw corrupt('has fewer records than announced')
    const length = expanded.readUInt32BE(position)
    position = start + length
    if (length > MAX_RECORD_BYTES || position > expanded.length) throw corrupt('ends inside a record')
    ends[index] = position
  }
  if (position !== expanded.length) throw corrupt('has bytes after its last record')
  return ends
}
