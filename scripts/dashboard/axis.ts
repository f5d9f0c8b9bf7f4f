/** Where values are between the two ends of a line. */
export interface Axis {
  /** The values that are easy to read. */
  readonly ticks: readonly number[]
  /** 0 at the lower end, 1 at the upper one. */
  readonly place: (value: number) => number
}

const DECIMAL = [1, 2, 2.5, 5, 10]
const TIME = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400]

/** From 0 to the highest value or beyond it, in at most `most` steps and one. */
export function valueAxis (highest: number, unit: string, most: number): Axis {
  const top = highest > 0 ? highest : 1
  const step = stepFor(top / most, unit)
  // A line at the top needs some room.
  const count = Math.ceil(top / step + 0.01)
  return {
    ticks: Array.from({ length: count + 1 }, (_, index) => index * step),
    place: (value) => value / (count * step)
  }
}

/** In powers of ten. A value that is not above 0 is at the lower end. */
export function logarithmicAxis (values: readonly number[]): Axis {
  const logarithms = values.filter((value) => value > 0).map((value) => Math.log10(value))
  // 10 ** -3 is 0.001, whose logarithm may be a little less than -3.
  const low = Math.floor(Math.min(0, ...logarithms) + 1e-9)
  const high = Math.max(low + 1, Math.ceil(Math.max(...logarithms)))
  return {
    ticks: Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index)),
    place: (value) => value > 0 ? (Math.log10(value) - low) / (high - low) : 0
  }
}

/** The axis of time, in seconds since 1970, with at most `most` steps, and ticks at round times. */
export function timeAxis (start: number, end: number, most: number): Axis {
  const step = TIME.find((candidate) => (end - start) / candidate <= most) ?? 86_400
  const first = Math.ceil(start / step) * step
  const count = Math.max(0, Math.floor((end - first) / step) + 1)
  return {
    ticks: Array.from({ length: count }, (_, index) => first + index * step),
    place: (at) => (at - start) / (end - start)
  }
}

function stepFor (least: number, unit: string): number {
  if (unit === 's' && least >= 1) return TIME.find((step) => step >= least) ?? least
  if (unit === 'bytes') return 2 ** Math.ceil(Math.log2(least))
  const power = 10 ** Math.floor(Math.log10(least))
  const step = (DECIMAL.find((factor) => factor * power >= least) ?? 10) * power
  // These are counted in whole ones.
  return unit === 'none' ? Math.max(1, Math.ceil(step)) : step
}
