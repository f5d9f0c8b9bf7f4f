import * as zlib from 'node:zlib'
import { CompressionError } from '../errors.ts'
import { corrupt } from './output.ts'

/** Expands Zstandard frames, by Node's zlib: from 22.15 and 23.8 on. */
export function expandZstd (bytes: Uint8Array, length: number): Buffer {
  // Looked up at run time: the types and the oldest supported Node do not have it.
  const decompress: unknown = Reflect.get(zlib, 'zstdDecompressSync')
  if (typeof decompress !== 'function') throw new CompressionError('unsupported', 'this Node.js cannot expand zstd')
  let expanded: unknown
  try {
    expanded = decompress(bytes, { maxOutputLength: Math.max(length, 1) })
  } catch (cause) {
    throw corrupt('is no zstd, or longer than announced', cause)
  }
  if (!Buffer.isBuffer(expanded) || expanded.length !== length) throw corrupt('is shorter than announced')
  return expanded
}
