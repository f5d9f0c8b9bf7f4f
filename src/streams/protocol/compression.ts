import { CompressionError } from './errors.ts'

/** By the three bits of a sub-entry batch that name its compression. */
export const compressionNames = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

/** The records of one entry. */
export interface SubBatch { readonly records: readonly Buffer[] }

/** first: the signature */
export function expandSubBatch (compression: number, bytes: Uint8Array, uncompressedLength: number, recordCount: number, maxBytes: number): Buffer[] {
  throw new CompressionError('unsupported', `${compression} ${bytes.length} ${uncompressedLength} ${recordCount} ${maxBytes}`)
}
