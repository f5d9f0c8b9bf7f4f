import { logarithmicAxis, timeAxis, valueAxis } from './axis.ts'
import { withUnit } from './units.ts'

/** A line of a panel. `null` is where it has no value. All lines of a panel have the same times. */
export interface Line {
  readonly name: string
  readonly points: ReadonlyArray<readonly [at: number, value: number | null]>
}

/** Where something is drawn, in pixels, and from when to when, in seconds since 1970. */
export interface Frame {
  readonly width: number
  readonly height: number
  readonly start: number
  readonly end: number
}

/** How lines are drawn. */
export interface Style {
  readonly unit: string
  readonly isLogarithmic: boolean
  /** Each line lies on those before it. */
  readonly isStacked: boolean
}

type Place = (value: number) => number

const TOP = 6
const RIGHT = 10
const BOTTOM = 18
const TICK_EVERY_PX = { x: 66, y: 34 }
// The width of a character.
const CHARACTER_PX = 6
const COLORS = [
  '#3274d9', '#e0b400', '#37872d', '#c4162a', '#8f3bb8', '#fa6400', '#1f9e9e', '#b877d9', '#6e7681', '#a05a2c'
]

/** Lines over time, as SVG. */
export function drawLines (lines: readonly Line[], { unit, isLogarithmic, isStacked }: Style, frame: Frame): string {
  const placed = isStacked ? stacked(lines) : lines
  const values = placed.flatMap(({ points }) => points.map(([, value]) => value ?? 0))
  const most = Math.max(2, Math.floor((frame.height - TOP - BOTTOM) / TICK_EVERY_PX.y))
  const axis = isLogarithmic ? logarithmicAxis(values) : valueAxis(Math.max(...values), unit, most)
  const labels = axis.ticks.map((tick) => withUnit(tick, unit))
  const left = 12 + CHARACTER_PX * Math.max(...labels.map(({ length }) => length))
  const toX = xOf(frame, left)
  const toY: Place = (value) => frame.height - BOTTOM - axis.place(value) * (frame.height - BOTTOM - TOP)
  const grid = axis.ticks.map((tick, index) => {
    const y = px(toY(tick))
    return `<line class="grid" x1="${left}" x2="${frame.width - RIGHT}" y1="${y}" y2="${y}"/>` +
      `<text x="${left - 6}" y="${px(toY(tick) + 3.5)}" text-anchor="end">${labels[index]}</text>`
  })
  const areas = isStacked ? placed.map((line, index) => area(line, placed[index - 1], index, toX, toY)) : []
  const drawn = placed.map(({ points }, index) => {
    return `<path class="line" stroke="${colorOf(index)}" d="${pathOf(points, toX, toY)}"/>`
  })
  return svg(frame, [...timeTicks(frame, left, toX), ...grid, ...areas, ...drawn])
}

/** A bar for each line while it has a value, as SVG. The name stands in front of it. */
export function drawStates (lines: readonly Line[], frame: Frame): string {
  const left = 12 + CHARACTER_PX * Math.max(...lines.map(({ name }) => name.length))
  const toX = xOf(frame, left)
  const height = Math.min(34, (frame.height - TOP - BOTTOM) / lines.length)
  const bars = lines.flatMap(({ name, points }, index) => {
    const y = TOP + index * height
    return [
      `<text x="${left - 6}" y="${px(y + height / 2 + 3.5)}" text-anchor="end">${escape(name)}</text>`,
      ...runsOf(points).map(([from, to]) => `<rect fill="${colorOf(index)}" x="${px(toX(from))}" y="${px(y + 3)}" ` +
        `width="${px(Math.max(2, toX(to) - toX(from)))}" height="${px(height - 6)}"/>`)
    ]
  })
  return svg(frame, [...timeTicks(frame, left, toX), ...bars])
}

/** Makes a text safe in HTML and SVG. */
export function escape (text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}

/** The colour of a line. */
export function colorOf (index: number): string {
  return COLORS[index % COLORS.length] ?? ''
}

function stacked (lines: readonly Line[]): Line[] {
  const sums = new Map<number, number>()
  const times = new Set(lines.flatMap(({ points }) => points.flatMap(([at, value]) => value === null ? [] : [at])))
  return lines.map(({ name, points }) => ({
    name,
    // Where no line has a value, there is none.
    points: points.filter(([at]) => times.has(at)).map(([at, value]) => {
      const sum = (sums.get(at) ?? 0) + (value ?? 0)
      sums.set(at, sum)
      return [at, sum]
    })
  }))
}

function area (line: Line, below: Line | undefined, index: number, toX: Place, toY: Place): string {
  const floor = line.points.map(([at], n) => [at, below?.points[n]?.[1] ?? 0] as const)
  const around = [...line.points, ...floor.reverse()].map(([at, value]) => `${px(toX(at))} ${px(toY(value ?? 0))}`)
  return `<path fill="${colorOf(index)}" fill-opacity="0.3" d="M${around.join('L')}Z"/>`
}

function xOf ({ width, start, end }: Frame, left: number): Place {
  const { place } = timeAxis(start, end, 1)
  return (at) => left + place(at) * (width - RIGHT - left)
}

function timeTicks ({ width, height, start, end }: Frame, left: number, toX: Place): string[] {
  const { ticks } = timeAxis(start, end, Math.max(1, Math.floor((width - left - RIGHT) / TICK_EVERY_PX.x)))
  return ticks.map((at) => {
    const x = px(toX(at))
    // At the edge half of the text would be cut off.
    const text = x > width - 4 * CHARACTER_PX ? '' : clockTime(at)
    return `<line class="grid" x1="${x}" x2="${x}" y1="${TOP}" y2="${height - BOTTOM}"/>` +
      `<text x="${x}" y="${height - 5}" text-anchor="middle">${text}</text>`
  })
}

/** A path that is interrupted where there is no value. A value that stands alone is a dot. */
function pathOf (points: Line['points'], toX: Place, toY: Place): string {
  let isDrawing = false
  return points.map(([at, value]) => {
    if (value === null) {
      isDrawing = false
      return ''
    }
    const place = `${px(toX(at))} ${px(toY(value))}`
    const step = isDrawing ? `L${place}` : `M${place}h0`
    isDrawing = true
    return step
  }).join('')
}

/** From when to when a line has values, one after the other. */
function runsOf (points: Line['points']): Array<[from: number, to: number]> {
  const runs: Array<[number, number]> = []
  let hadValue = false
  for (const [at, value] of points) {
    const last = runs.at(-1)
    if (value !== null && hadValue && last !== undefined) last[1] = at
    else if (value !== null) runs.push([at, at])
    hadValue = value !== null
  }
  return runs
}

function svg ({ width, height }: Frame, elements: readonly string[]): string {
  return `<svg width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">${elements.join('')}</svg>`
}

function clockTime (at: number): string {
  return new Date(at * 1000).toISOString().slice(11, 19)
}

function px (value: number): number {
  return Math.round(value * 10) / 10
}
