import { parseRfc3339 } from '../text/rfc3339.ts'

/**
 * Parses a time to read from: any RFC 3339 text, rounded up to the millisecond. A time before 1970 is 1970, since no
 * message is older.
 *
 * @returns ms since the Unix epoch; undefined for any other text, such as digits alone, whose unit nobody knows
 */
export function parseTimestamp (text: string): number | undefined {
  const ms = parseRfc3339(text)
  return ms === undefined ? undefined : Math.max(0, ms)
}
