import * as zlib from 'node:zlib'
import { CompressionError } from '../errors.ts'
import { corrupt, outputOf } from './output.ts'

// ZSTD_d_windowLogMax of zstd.h, set to 8 MiB, which RFC 8878 recommends that every decoder supports. A frame announces
// the memory that its expansion needs, and without this limit zstd accepts up to 128 MiB.
const WINDOW_LOG_MAX_PARAMETER = 100
const WINDOW_LOG_MAX = 23

/**
 * Expands Zstandard frames with Node's zlib, which can do so from Node 22.15 and 23.8 on. Older versions of Node do not
 * support zstd here. A decoder in JavaScript would not be safe: a forged frame of 29 bytes, which any publisher may
 * send, kept fzstd 0.1.1 and the event loop busy for over a minute.
 */
export function expandZstd (bytes: Uint8Array, length: number): Buffer {
  // Looked up at run time, because the types are those of the oldest supported version of Node.
  const decompress: unknown = Reflect.get(zlib, 'zstdDecompressSync')
  if (typeof decompress !== 'function') throw new CompressionError('unsupported', 'zstd needs Node.js 22.15 or newer')
  let expanded: unknown
  try {
    expanded = decompress(bytes, {
      ...outputOf(length),
      params: { [WINDOW_LOG_MAX_PARAMETER]: WINDOW_LOG_MAX }
    })
  } catch (cause) {
    throw corrupt('is not zstd, or is longer than announced', cause)
  }
  if (!Buffer.isBuffer(expanded) || expanded.length !== length) throw corrupt('is shorter than announced')
  return expanded
}
