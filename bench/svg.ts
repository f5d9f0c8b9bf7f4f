/** A line of a plot. */
export interface Series {
  readonly name: string
  readonly points: ReadonlyArray<{ readonly x: number, readonly y: number }>
}

/** What is drawn. */
export interface Plot {
  readonly title: string
  readonly xLabel: string
  readonly yLabel: string
  readonly series: readonly Series[]
  /** The y axis has powers of ten, for figures of several orders of magnitude; otherwise it begins at 0. */
  readonly isLogarithmic?: boolean
}

const WIDTH = 640
const HEIGHT = 400
const LEFT = 76
const RIGHT = 24
const TOP = 64
const BOTTOM = 56
const COLORS = ['#1f6feb', '#d1242f', '#1a7f37', '#8250df']

/** Where values are on an axis. */
interface Axis {
  readonly ticks: readonly number[]
  /** 0 to 1. */
  place (value: number): number
}

/** The plot as an SVG document that is readable on light and dark pages. */
export function toSvg ({ title, xLabel, yLabel, series, isLogarithmic = false }: Plot): string {
  const xs = series.flatMap(({ points }) => points.map(({ x }) => x))
  const ys = series.flatMap(({ points }) => points.map(({ y }) => y))
  // The measured sizes are the ticks: they are few, and chosen for the plot.
  const xAxis = logarithmic([...new Set(xs)].sort((a, b) => a - b), Math.min(...xs), Math.max(...xs))
  const yAxis = isLogarithmic ? decades(Math.min(...ys), Math.max(...ys)) : fromZero(Math.max(...ys))
  const toX = (x: number): number => LEFT + xAxis.place(x) * (WIDTH - LEFT - RIGHT)
  const toY = (y: number): number => HEIGHT - BOTTOM - yAxis.place(y) * (HEIGHT - TOP - BOTTOM)
  const middleY = (TOP + HEIGHT - BOTTOM) / 2
  const axis = 'stroke="#59636e"'
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" ` +
    `height="${HEIGHT}" font-family="sans-serif" font-size="12" role="img" aria-label="${escape(title)}">
<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>
<text x="${LEFT}" y="24" font-size="15" font-weight="bold" fill="#1f2328">${escape(title)}</text>
${yAxis.ticks.map((y) => yTick(y, toY(y))).join('\n')}
${xAxis.ticks.map((x) => xTick(x, toX(x))).join('\n')}
<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${HEIGHT - BOTTOM}" y2="${HEIGHT - BOTTOM}" ${axis}/>
<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 14}" text-anchor="middle" fill="#1f2328">${escape(xLabel)}</text>
<text x="16" y="${middleY}" text-anchor="middle" fill="#1f2328" transform="rotate(-90 16 ${middleY})">` +
    `${escape(yLabel)}</text>
${series.map(({ name, points }, index) => drawn(name, points.map(({ x, y }) => [toX(x), toY(y)]), index)).join('\n')}
</svg>
`
}

function yTick (value: number, at: number): string {
  return `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${round(at)}" y2="${round(at)}" stroke="#d0d7de"/>
<text x="${LEFT - 8}" y="${round(at + 4)}" text-anchor="end" fill="#59636e">${short(value)}</text>`
}

function xTick (value: number, at: number): string {
  const x = round(at)
  return `<line x1="${x}" x2="${x}" y1="${HEIGHT - BOTTOM}" y2="${HEIGHT - BOTTOM + 5}" stroke="#59636e"/>
<text x="${x}" y="${HEIGHT - BOTTOM + 19}" text-anchor="middle" fill="#59636e">${short(value)}</text>`
}

function drawn (name: string, points: ReadonlyArray<readonly [number, number]>, index: number): string {
  const color = COLORS[index % COLORS.length]
  const left = LEFT + index * 140
  const line = points.map(([x, y]) => `${round(x)},${round(y)}`).join(' ')
  return `<polyline fill="none" stroke="${color}" stroke-width="2" points="${line}"/>
${points.map(([x, y]) => `<circle cx="${round(x)}" cy="${round(y)}" r="3.5" fill="${color}"/>`).join('\n')}
<rect x="${left}" y="37" width="12" height="4" fill="${color}"/>` +
    `<text x="${left + 18}" y="43" fill="#1f2328">${escape(name)}</text>`
}

function logarithmic (ticks: readonly number[], lowest: number, highest: number): Axis {
  const span = Math.log(highest / lowest)
  return { ticks, place: (value) => span === 0 ? 0.5 : Math.log(value / lowest) / span }
}

function decades (lowest: number, highest: number): Axis {
  const low = Math.floor(Math.log10(lowest))
  const high = Math.ceil(Math.log10(highest))
  return logarithmic(Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index)), 10 ** low, 10 ** high)
}

function fromZero (highest: number): Axis {
  // The step is 1, 2 or 5 times a power of ten, so that the axis has four to ten steps.
  const power = 10 ** Math.floor(Math.log10(highest / 4))
  const step = [5, 2, 1].map((factor) => factor * power).find((candidate) => highest / candidate >= 4) ?? power
  const count = Math.ceil(highest / step)
  return {
    ticks: Array.from({ length: count + 1 }, (_, index) => index * step),
    place: (value) => value / (count * step)
  }
}

function short (value: number): string {
  if (value >= 1e6) return `${round(value / 1e6)} M`
  return value >= 1000 ? `${round(value / 1000)} k` : String(round(value))
}

function round (value: number): number {
  return Math.round(value * 100) / 100
}

function escape (text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
