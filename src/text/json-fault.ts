import { TextFault } from './text-fault.ts'

/** Bytes that are not JSON, or JSON beyond a limit. */
export class JsonFault extends TextFault {
  /** The position of the fault in the bytes. */
  readonly at: number
  /** Whether it is JSON, beyond a limit. */
  readonly isBeyondLimit: boolean

  /** @param reason what is wrong there, for the end of a sentence */
  constructor (at: number, reason: string, isBeyondLimit = false) {
    super(reason)
    this.at = at
    this.isBeyondLimit = isBeyondLimit
  }
}

/** The fault of a byte that cannot stand where it is. */
export function unexpected (bytes: Buffer, at: number, end: number, expected: string): JsonFault {
  if (at >= end) return new JsonFault(end, `it ends where ${expected} is expected`)
  const ahead = bytes.toString('utf8', at, Math.min(end, at + MAX_WORD_BYTES))
  const word = WORD.exec(ahead)?.[0]
  if (word !== undefined) return new JsonFault(at, `${word} is not JSON${hintFor(word)}`)
  const [character = ''] = ahead
  if (character === "'") return new JsonFault(at, 'a text is written in double quotes, not in single quotes')
  if ((character === ']' || character === '}') && isAfterComma(bytes, at)) {
    return new JsonFault(at, `a comma before ${character} is not allowed`)
  }
  return new JsonFault(at, `${nameOf(character)} where ${expected} is expected`)
}

const MAX_WORD_BYTES = 24
// Between a comma and the bracket after it: further apart, it only misses a better message.
const MAX_SPACES = 10_000
const WORD = /^-?[A-Za-z_$][\w$]*/

/** Words of other languages, and what JSON has in their place. */
const HINTS: ReadonlyMap<string, string> = new Map([
  ['NaN', '; write null or a string'],
  ['Infinity', '; write null or a string'],
  ['-Infinity', '; write null or a string'],
  ['None', '; write null'],
  ['undefined', '; write null'],
  ['True', '; write true'],
  ['False', '; write false']
])

function hintFor (word: string): string {
  return HINTS.get(word) ?? ''
}

function isAfterComma (bytes: Uint8Array, at: number): boolean {
  let before = at - 1
  const last = before - MAX_SPACES
  while (before > last && isWhiteSpace(bytes[before])) before--
  return bytes[before] === 0x2c
}

/** White space of JSON (RFC 8259, 2). */
export function isWhiteSpace (byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

/** A character for a message: as it is when it can be seen. */
export function nameOf (character: string): string {
  if (/^[\x21-\x7e]$/.test(character)) return character
  const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')
  return code === 'FEFF' ? 'a byte order mark (U+FEFF)' : `the character U+${code}`
}
