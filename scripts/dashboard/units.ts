/** The units of the dashboard, by the names that Grafana has for them. */
const FORMATS: Readonly<Record<string, (value: number) => string>> = {
  none: plain,
  short: (value) => scaled(value, 1000, ['', 'K', 'Mil', 'Bil', 'Tri'], ' '),
  s: seconds,
  bytes: (value) => scaled(value, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'], ' '),
  percentunit: (value) => `${plain(value * 100)}%`,
  reqps: (value) => `${counted(value)} req/s`
}

/**
 * A value as Grafana writes it, for example `1.5 mins` for 90 in the unit `s`. `count:msg/s` is a unit of one's own: a
 * count with that behind it.
 *
 * @throws when the unit is not one that is known here
 */
export function withUnit (value: number, unit: string): string {
  const own = /^count:(.+)$/.exec(unit)?.[1]
  if (own !== undefined) return `${counted(value)} ${own}`
  const format = FORMATS[unit]
  if (format === undefined) throw new Error(`the unit ${unit} is not known`)
  return format(value)
}

// At most three digits that count, and no zeros behind the point.
function plain (value: number): string {
  return String(Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3)))
}

function counted (value: number): string {
  return scaled(value, 1000, ['', 'K', 'M', 'B', 'T'], '')
}

function scaled (value: number, factor: number, names: readonly string[], between: string): string {
  let scaledValue = value
  let index = 0
  while (Math.abs(scaledValue) >= factor && index < names.length - 1) {
    scaledValue /= factor
    index++
  }
  return `${plain(scaledValue)}${between}${names[index]}`.trimEnd()
}

const TIMES: ReadonlyArray<readonly [number, string]> = [
  [86_400, 'days'], [3600, 'hours'], [60, 'mins'], [1, 's'], [1e-3, 'ms'], [1e-6, 'µs']
]

function seconds (value: number): string {
  if (value === 0) return '0 s'
  const [factor, name] = TIMES.find(([factor]) => Math.abs(value) >= factor) ?? [1e-9, 'ns']
  const text = plain(value / factor)
  return text === '1' && name.endsWith('s') && factor > 1 ? `1 ${name.slice(0, -1)}` : `${text} ${name}`
}
