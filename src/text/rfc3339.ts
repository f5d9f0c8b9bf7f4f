const DATE_TIME = new RegExp(
  String.raw`^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?` +
  String.raw`(?:[Zz]|([+-])(\d\d):(\d\d))$`
)
const MINUTE_MS = 60_000
const LAST_MINUTE_OF_A_DAY = 24 * 60 - 1

/**
 * The time that an RFC 3339 text means, such as `2026-01-31T12:00:00.5Z` or `2026-01-31 13:00:00+01:00`. A fraction
 * may have any number of digits; it is rounded up to the millisecond, so that a read from this time on returns nothing
 * from before it. Seconds may be left out. A leap second is the first second of the next minute.
 *
 * @returns ms since the Unix epoch, negative before it; undefined for any other text, and for a day, an hour or an
 *   offset that does not exist
 */
export function parseRfc3339 (text: string): number | undefined {
  const match = DATE_TIME.exec(text)
  if (match === null) return undefined
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] =
    match.slice(1, 7).map((digits: string | undefined) => Number(digits ?? 0))
  const [fraction = '', sign, offsetHours = '0', offsetMinutes = '0'] = match.slice(7)
  if (hour > 23 || minute > 59 || second > 60) return undefined
  if (Number(offsetHours) > 23 || Number(offsetMinutes) > 59) return undefined
  const offset = (Number(offsetHours) * 60 + Number(offsetMinutes)) * (sign === '-' ? -1 : 1)
  const dayMs = dayOf(year, month, day)
  const minuteOfDay = hour * 60 + minute - offset
  if (dayMs === undefined || (second === 60 && !endsADay(minuteOfDay))) return undefined
  return dayMs + minuteOfDay * MINUTE_MS + second * 1000 + ceilMs(fraction)
}

/** Undefined when there is no such day: `Date` would read 30 February as 1 or 2 March. */
function dayOf (year: number, month: number, day: number): number | undefined {
  const date = new Date(0)
  // Date.UTC would take the years 0 to 99 for 1900 to 1999.
  date.setUTCFullYear(year, month - 1, day)
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? date.getTime() : undefined
}

/** Leap seconds are at the end of a day in UTC. */
function endsADay (minuteOfDay: number): boolean {
  const minutes = LAST_MINUTE_OF_A_DAY + 1
  return (minuteOfDay + minutes) % minutes === LAST_MINUTE_OF_A_DAY
}

/** From 0 to 1000. */
function ceilMs (fraction: string): number {
  const ms = Number(fraction.slice(0, 3).padEnd(3, '0'))
  return /[1-9]/.test(fraction.slice(3)) ? ms + 1 : ms
}
