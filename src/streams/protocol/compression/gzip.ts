import { gunzipSync } from 'node:zlib'
import { corrupt } from './output.ts'

/** Expands gzip members. Never allocates more than `length` and one chunk of zlib. */
export function expandGzip (bytes: Uint8Array, length: number): Buffer {
  let expanded
  try {
    expanded = gunzipSync(bytes, { maxOutputLength: Math.max(length, 1) })
  } catch (cause) {
    throw corrupt('is not gzip, or is longer than announced', cause)
  }
  if (expanded.length !== length) throw corrupt('is shorter than announced')
  return expanded
}
