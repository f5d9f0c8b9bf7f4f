import * as zlib from 'node:zlib'
import { CompressionError } from '../errors.ts'
import { corrupt } from './output.ts'

// ZSTD_d_windowLogMax of zstd.h, and 8 MiB, which RFC 8878 asks of every decoder. A frame says how much memory it needs
// to be expanded; zstd itself would believe up to 128 MiB.
const WINDOW_LOG_MAX_PARAMETER = 100
const WINDOW_LOG_MAX = 23

/**
 * Expands Zstandard frames by Node's zlib, from Node 22.15 and 23.8 on. Before, zstd is unsupported rather than left to
 * a decoder in JavaScript: a made-up frame of 29 bytes, which any publisher may send, kept fzstd 0.1.1 and the event
 * loop busy for over a minute.
 */
export function expandZstd (bytes: Uint8Array, length: number): Buffer {
  // Looked up at run time, because the types are those of the oldest supported Node.
  const decompress: unknown = Reflect.get(zlib, 'zstdDecompressSync')
  if (typeof decompress !== 'function') throw new CompressionError('unsupported', 'zstd needs Node.js 22.15 or newer')
  let expanded: unknown
  try {
    expanded = decompress(bytes, {
      maxOutputLength: Math.max(length, 1),
      params: { [WINDOW_LOG_MAX_PARAMETER]: WINDOW_LOG_MAX }
    })
  } catch (cause) {
    throw corrupt('is not zstd, or is longer than announced', cause)
  }
  if (!Buffer.isBuffer(expanded) || expanded.length !== length) throw corrupt('is shorter than announced')
  return expanded
}
