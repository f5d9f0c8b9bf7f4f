import { isUtf8 } from 'node:buffer'
import { bufferOf } from './json-parts.ts'

/** How much is printed in one piece, bytes or characters: about a millisecond of work. Divisible by 3, for base64. */
export const SLICE_BYTES = 96 * 1024

/**
 * The text of something large, piece by piece. Whoever prints it may do something else between two pieces. An empty
 * piece stands for work without text.
 */
export type Slices = Generator<string, void>

/** The bytes as base64. */
export function * base64Slices (bytes: Uint8Array): Slices {
  const buffer = bufferOf(bytes)
  for (let at = 0; at < buffer.length; at += SLICE_BYTES) yield buffer.toString('base64', at, at + SLICE_BYTES)
}

/** UTF-8 bytes as texts, none of which ends inside a character. */
export function * utf8Slices (bytes: Uint8Array): Slices {
  const buffer = bufferOf(bytes)
  for (let at = 0; at < buffer.length;) {
    let end = Math.min(at + SLICE_BYTES, buffer.length)
    // 10xxxxxx continues a character.
    while (end < buffer.length && ((buffer[end] ?? 0) & 0xc0) === 0x80) end--
    yield buffer.toString('utf8', at, end)
    at = end
  }
}

/** A text as the content of a JSON string, without the quotation marks. */
export function * stringSlices (texts: Iterable<string>): Slices {
  for (const text of texts) yield JSON.stringify(text).slice(1, -1)
}

/** A JSON text on one line: in valid JSON a raw line break is white space between tokens, so it may become a space. */
export function * oneLineSlices (texts: Iterable<string>): Slices {
  for (const text of texts) yield text.includes('\n') || text.includes('\r') ? text.replace(/[\r\n]/g, ' ') : text
}

/** Texts as the base64 of their UTF-8. */
export function * base64OfTexts (texts: Iterable<string>): Slices {
  let rest: Buffer = Buffer.alloc(0)
  for (const text of texts) {
    const bytes = Buffer.concat([rest, Buffer.from(text)])
    const whole = bytes.length - bytes.length % 3
    yield bytes.toString('base64', 0, whole)
    rest = bytes.subarray(whole)
  }
  yield rest.toString('base64')
}

/** The bytes when they are UTF-8. */
export function ifUtf8 (bytes: Uint8Array): Uint8Array | undefined {
  return isUtf8(bytes) ? bytes : undefined
}
