import { isUtf8 } from 'node:buffer'
import { parseRfc3339 } from '../text/rfc3339.ts'
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

const MAX_MS = 2n ** 63n

/**
 * What `timeOf` writes, and any other RFC 3339 text, rounded up to the millisecond. Digits are taken only for the years
 * that need them: for others they are mostly seconds by mistake.
 */
export function parseTime (json: unknown, pointer: string): bigint {
  const text = expectString(json, pointer, 'date and time')
  const ms = parseRfc3339(text)
  if (ms !== undefined) return BigInt(ms)
  if (/^(0|-?[1-9]\d{0,18})$/.test(text) && BigInt(text) < MAX_MS && BigInt(text) >= -MAX_MS) {
    const inDigits = BigInt(text)
    if (timeOf(inDigits) === text) return inDigits
    throw new MessageFormatError(
      pointer,
      `must be a date and time: as milliseconds since 1970 these digits would mean ${timeOf(inDigits)}, and digits ` +
        'are taken only for years before 0000 and after 9999'
    )
  }
  throw new MessageFormatError(
    pointer,
    'must be a date and time like 2025-01-31T12:00:00.000Z or 2025-01-31T13:00:00+01:00 (RFC 3339)'
  )
}

export function bufferOf (bytes: Uint8Array): Buffer {
  return bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}
