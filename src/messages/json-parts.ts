import { isUtf8 } from 'node:buffer'
import { MessageFormatError } from './format-error.ts'

// Helpers that the mapping needs in several places: text, base64 and times, each in both directions.

export function expectString (json: unknown, pointer: string, what: string): string {
  if (typeof json !== 'string') throw new MessageFormatError(pointer, `must be a string (${what})`)
  return json
}

/** JSON can spell half a surrogate pair, UTF-8 cannot: writing it would store another text. */
export function expectUnicode (text: string, pointer: string): string {
  if (/[\ud800-\udfff]/.test(text) && /\p{Surrogate}/u.test(text)) {
    throw new MessageFormatError(pointer, 'must not contain an unpaired surrogate, which UTF-8 cannot hold')
  }
  return text
}

/** Standard base64 with padding. Node's own decoder skips characters that are not base64. */
export function parseBase64 (json: unknown, pointer: string): Buffer {
  const text = expectString(json, pointer, 'base64')
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) {
    throw new MessageFormatError(pointer, 'must be base64 with padding')
  }
  return Buffer.from(text, 'base64')
}

export function base64Of (bytes: Uint8Array): string {
  return bufferOf(bytes).toString('base64')
}

/** The text, or undefined when the bytes are not UTF-8. */
export function utf8Of (bytes: Uint8Array): string | undefined {
  return isUtf8(bytes) ? bufferOf(bytes).toString('utf8') : undefined
}

/** From 0000-01-01 to 9999-12-31: what ISO 8601 writes with four digits for the year. */
const FIRST_ISO_MS = -62_167_219_200_000
const LAST_ISO_MS = 253_402_300_799_999

/**
 * ISO 8601 in UTC with milliseconds; a time outside the years 0000 to 9999 as its milliseconds since 1970, in digits.
 */
export function timeOf (ms: number | bigint): string {
  return ms >= FIRST_ISO_MS && ms <= LAST_ISO_MS ? new Date(Number(ms)).toISOString() : String(ms)
}

const DATE_TIME = /^(\d{4}-\d\d-\d\d)[Tt]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:[Zz]|[+-]\d\d:\d\d)$/
const MAX_MS = 2n ** 63n

/** What `timeOf` writes, and any other offset from UTC; digits beyond milliseconds are cut off. */
export function parseTime (json: unknown, pointer: string): bigint {
  const text = expectString(json, pointer, 'date and time')
  const date = DATE_TIME.exec(text)?.[1]
  if (date !== undefined) {
    const ms = Date.parse(text.toUpperCase())
    if (!Number.isNaN(ms) && isCalendarDay(date)) return BigInt(ms)
  }
  if (/^(0|-?[1-9]\d{0,18})$/.test(text) && BigInt(text) < MAX_MS && BigInt(text) >= -MAX_MS) return BigInt(text)
  throw new MessageFormatError(
    pointer,
    'must be a date and time like 2025-01-31T12:00:00.000Z, or milliseconds since 1970 as a string'
  )
}

/** Date.parse takes February 30 for March 2. */
function isCalendarDay (date: string): boolean {
  const ms = Date.parse(date)
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(date)
}

export function bufferOf (bytes: Uint8Array): Buffer {
  return bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}
