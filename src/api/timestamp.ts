const TIMESTAMP = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.\d{1,3})?Z$/

/**
 * Parses an ISO 8601 time in UTC with up to three decimals, `2026-01-31T12:00:00.000Z`.
 *
 * @returns ms since the Unix epoch; undefined for any other text, and for a day that does not exist: `Date` would read
 *   30 February as 1 March.
 */
export function parseTimestamp (text: string): number | undefined {
  const seconds = TIMESTAMP.exec(text)?.[1]
  const ms = seconds === undefined ? NaN : Date.parse(text)
  if (Number.isNaN(ms) || seconds === undefined) return undefined
  return ms >= 0 && new Date(ms).toISOString().startsWith(seconds) ? ms : undefined
}
