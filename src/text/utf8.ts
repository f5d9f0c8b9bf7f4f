import { isUtf8 } from 'node:buffer'
import { JsonFault } from './json-fault.ts'

/** The position after a byte order mark at the start, which some editors and libraries write. */
export function afterByteOrderMark (bytes: Buffer): number {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0
}

/** Refuses bytes that are not UTF-8. @throws JsonFault at the first of them */
export function refuseBadUtf8 (bytes: Buffer): void {
  if (!isUtf8(bytes)) throw new JsonFault(badUtf8At(bytes), 'the bytes there are not UTF-8')
}

// Within a block each character is looked at by itself.
const BLOCK_BYTES = 4096
const MAX_CHARACTER_BYTES = 4

function badUtf8At (bytes: Buffer): number {
  let start = 0
  // Blocks end before the first byte of a character.
  for (let end = blockEnd(bytes, start); isUtf8(bytes.subarray(start, end)); end = blockEnd(bytes, start)) start = end
  for (;;) {
    let length = 1
    while (length <= MAX_CHARACTER_BYTES && !isUtf8(bytes.subarray(start, start + length))) length++
    if (length > MAX_CHARACTER_BYTES || start >= bytes.length) return start
    start += length
  }
}

function blockEnd (bytes: Buffer, start: number): number {
  let end = Math.min(start + BLOCK_BYTES, bytes.length)
  while (end < bytes.length && end > start + 1 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--
  return end
}
