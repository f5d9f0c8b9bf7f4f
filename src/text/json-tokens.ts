import { JsonFault, unexpected } from './json-fault.ts'

// Each of these returns the position after its token, or throws a JsonFault. `end` is the end of the JSON text.

const ZERO = 0x30
const NINE = 0x39
const MINUS = 0x2d
const PLUS = 0x2b
const POINT = 0x2e
const UPPER_E = 0x45
const LOWER_E = 0x65
const LOWER_U = 0x75

/** The bytes that a string cannot hold as they are: control characters, the quote, the backslash. */
export const SPECIAL = flagsOf('"\\').fill(1, 0, 0x20)

// What may follow a backslash, except u: " \ / b f n r t.
const ESCAPED = flagsOf('"\\/bfnrt')
const WHITE_SPACE = flagsOf(' \n\r\t')
const HEX = flagsOf('0123456789abcdefABCDEF')

// A number is passed in one step. No number that fits into a usual message has more.
const MAX_DIGITS = 1024 * 1024

function flagsOf (characters: string): Uint8Array {
  const flags = new Uint8Array(256)
  for (const byte of Buffer.from(characters)) flags[byte] = 1
  return flags
}

export function afterWhiteSpace (bytes: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end && WHITE_SPACE[bytes[at] ?? 0] === 1) at++
  return at
}

/** @param start the position of the backslash */
export function afterEscape (bytes: Buffer, start: number, end: number): number {
  const escaped = bytes[start + 1] ?? 0
  if (start + 1 < end && ESCAPED[escaped] === 1) return start + 2
  if (start + 1 >= end) throw new JsonFault(end, 'it ends in a string')
  if (escaped !== LOWER_U) {
    throw new JsonFault(start, 'a backslash in a string begins an escape such as \\n or \\u00e9, which this is not')
  }
  for (let at = start + 2; at < start + 6; at++) {
    if (at >= end) throw new JsonFault(end, 'it ends in a string')
    if (HEX[bytes[at] ?? 0] !== 1) throw new JsonFault(start, 'after \\u come four hexadecimal digits')
  }
  return start + 6
}

/** @param start the position of a digit or of a minus sign */
export function afterNumber (bytes: Buffer, start: number, end: number): number {
  let at = bytes[start] === MINUS ? start + 1 : start
  const first = bytes[at] ?? 0
  if (at >= end || !isDigit(first)) throw unexpected(bytes, at >= end ? end : start, end, 'a number')
  at = first === ZERO ? at + 1 : afterDigits(bytes, at, end)
  if (at < end && isDigit(bytes[at] ?? 0)) throw new JsonFault(start, 'a number does not begin with 0 and a digit')
  if (at < end && bytes[at] === POINT) at = afterSomeDigits(bytes, at + 1, end)
  if (at < end && (bytes[at] === LOWER_E || bytes[at] === UPPER_E)) {
    const sign = bytes[at + 1]
    at = afterSomeDigits(bytes, at + 1 < end && (sign === PLUS || sign === MINUS) ? at + 2 : at + 1, end)
  }
  return at
}

// Every number of fewer characters without an exponent means the same to JSON.parse as what is written.
const SURE_NUMBER_LENGTH = 16

/** Whether JSON.parse may change the number between two positions. */
export function isDoubtful (bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start >= SURE_NUMBER_LENGTH) return true
  for (let at = start; at < end; at++) if ((bytes[at] ?? 0) >= UPPER_E) return true
  return false
}

function afterSomeDigits (bytes: Buffer, start: number, end: number): number {
  const at = afterDigits(bytes, start, end)
  if (at === start) throw unexpected(bytes, start, end, 'a digit')
  return at
}

function afterDigits (bytes: Uint8Array, start: number, end: number): number {
  const stop = Math.min(end, start + MAX_DIGITS)
  let at = start
  while (at < stop && isDigit(bytes[at] ?? 0)) at++
  if (at === stop && stop < end && isDigit(bytes[at] ?? 0)) {
    throw new JsonFault(start, `must not have a number of more than ${MAX_DIGITS} digits in a row`, true)
  }
  return at
}

function isDigit (byte: number): boolean {
  return byte >= ZERO && byte <= NINE
}

/** `true`, `false` or `null`: the only values that are neither a string, a number, an object nor an array. */
export function afterLiteral (bytes: Buffer, start: number, end: number): number {
  switch (bytes[start]) {
    case 0x74: // t
      if (start + 4 <= end && bytes.readUInt32BE(start) === 0x7472_7565) return afterWord(bytes, start, start + 4, end)
      break
    case 0x6e: // n
      if (start + 4 <= end && bytes.readUInt32BE(start) === 0x6e75_6c6c) return afterWord(bytes, start, start + 4, end)
      break
    case 0x66: // f, then alse
      if (start + 5 <= end && bytes.readUInt32BE(start + 1) === 0x616c_7365) {
        return afterWord(bytes, start, start + 5, end)
      }
      break
    default:
  }
  throw unexpected(bytes, start, end, 'a value')
}

// `nullable` is not null.
function afterWord (bytes: Buffer, start: number, at: number, end: number): number {
  const next = bytes[at] ?? 0
  const isLetter = (next | 0x20) >= 0x61 && (next | 0x20) <= 0x7a
  if (at < end && isLetter) throw unexpected(bytes, start, end, 'a value')
  return at
}
