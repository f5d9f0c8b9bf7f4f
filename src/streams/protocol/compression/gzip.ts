import { gunzipSync } from 'node:zlib'
import { corrupt, outputOf } from './output.ts'

/** Expands gzip members. Never allocates more than `length` and a little. */
export function expandGzip (bytes: Uint8Array, length: number): Buffer {
  let expanded
  try {
    expanded = gunzipSync(bytes, outputOf(length))
  } catch (cause) {
    throw corrupt('is not gzip, or is longer than announced', cause)
  }
  if (expanded.length !== length) throw corrupt('is shorter than announced')
  return expanded
}
