import { colorOf, drawLines, drawStates, escape, type Line } from './chart.ts'
import type { Panel } from './panels.ts'
import { withUnit } from './units.ts'

/** A panel, and what it shows. */
export interface Answered {
  readonly panel: Panel
  readonly lines: readonly Line[]
}

/** How wide the page is, in pixels. */
export const WIDTH_PX = 1160
const COLUMNS = 24
const GAP_PX = 6
const LINE_PX = 24
const COLUMN_PX = (WIDTH_PX - (COLUMNS + 1) * GAP_PX) / COLUMNS
const PADDING_PX = 8
const TITLE_PX = 22
const LEGEND_LINE_PX = 16
// The width of a character of the legend, and of its mark and the space around it.
const LEGEND_PX = { character: 5.5, rest: 30 }

const COLOR_NAMES: Readonly<Record<string, string>> = { green: '#37872d', orange: '#fa6400', red: '#c4162a' }

const STYLE = `
  * { box-sizing: border-box }
  body { margin: 0; background: #f4f5f5; color: #24292e; font: 12px/1.3 "DejaVu Sans", Arial, sans-serif }
  main { display: grid; width: ${WIDTH_PX}px; padding: ${GAP_PX}px; gap: ${GAP_PX}px;
    grid-template-columns: repeat(${COLUMNS}, 1fr); grid-auto-rows: ${LINE_PX}px }
  section { background: #fff; border: 1px solid #dddee1; border-radius: 3px; padding: 0 ${PADDING_PX - 1}px;
    overflow: hidden }
  h2 { margin: 0; font-size: 15px; align-self: center }
  h3 { margin: 0; font-size: 12px; height: ${TITLE_PX}px; line-height: ${TITLE_PX}px; white-space: nowrap }
  p { margin: 0; color: #6e7681 }
  .big { font-size: 24px; font-weight: bold; text-align: center; padding-top: 20px; white-space: nowrap }
  .empty { text-align: center; padding-top: 30px }
  ul { margin: 0; padding: 0; list-style: none; font-size: 10px; line-height: ${LEGEND_LINE_PX}px }
  ul.legend li { display: inline-block; margin-right: 12px; white-space: nowrap }
  ul.table li { border-top: 1px solid #e8e9ea; padding: 3px 0; font-size: 12px }
  i { display: inline-block; width: 12px; height: 3px; margin-right: 5px; vertical-align: middle }
  svg { display: block } svg text { font-size: 10px; fill: #6e7681 }
  svg .grid { stroke: #e8e9ea }
  svg .line { fill: none; stroke-width: 1.6; stroke-linecap: round; stroke-linejoin: round }
`

/** The page with these panels, from when to when they show something, in seconds since 1970. */
export function pageOf (answered: readonly Answered[], span: { start: number, end: number }): string {
  const top = Math.min(...answered.map(({ panel }) => panel.grid.y))
  const sections = answered.map(({ panel, lines }) => {
    const { x, y, w, h } = panel.grid
    const place = `grid-column: ${x + 1} / span ${w}; grid-row: ${y - top + 1} / span ${h}`
    if (panel.type === 'row') return `<h2 style="${place}">${escape(panel.title)}</h2>`
    return `<section style="${place}"><h3>${escape(panel.title)}</h3>${contentOf(panel, lines, span)}</section>`
  })
  return `<!doctype html><meta charset="utf-8"><title>Dashboard</title><style>${STYLE}</style>` +
    `<main>${sections.join('')}</main>`
}

function contentOf (panel: Panel, lines: readonly Line[], span: { start: number, end: number }): string {
  if (lines.length === 0) return `<p class="empty">${escape(panel.noValue)}</p>`
  const { w, h } = panel.grid
  const width = Math.floor(w * COLUMN_PX + (w - 1) * GAP_PX) - 2 * PADDING_PX
  const height = h * LINE_PX + (h - 1) * GAP_PX - TITLE_PX - PADDING_PX
  switch (panel.type) {
    case 'stat': return bigNumber(panel, lines)
    case 'table': return `<ul class="table">${lines.map(({ name }) => `<li>${escape(name)}</li>`).join('')}</ul>`
    case 'state-timeline': return drawStates(lines, { width, height, ...span })
    case 'timeseries': {
      const legendHeight = legendLines(lines, width) * LEGEND_LINE_PX
      return drawLines(lines, panel, { width, height: height - legendHeight, ...span }) + legend(lines)
    }
    case 'row': return ''
  }
}

function bigNumber ({ thresholds, unit }: Panel, [line]: readonly Line[]): string {
  const value = line?.points.at(-1)?.[1] ?? 0
  const name = thresholds.filter(({ from }) => value >= from).at(-1)?.color ?? ''
  const color = thresholds.length > 1 ? COLOR_NAMES[name] ?? name : 'inherit'
  return `<p class="big" style="color: ${color}">${escape(withUnit(value, unit))}</p>`
}

function legend (lines: readonly Line[]): string {
  const entries = lines.map(({ name }, index) => {
    return `<li><i style="background: ${colorOf(index)}"></i>${escape(name)}</li>`
  })
  return `<ul class="legend">${entries.join('')}</ul>`
}

function legendLines (lines: readonly Line[], width: number): number {
  let count = 1
  let used = 0
  for (const { name } of lines) {
    const needed = name.length * LEGEND_PX.character + LEGEND_PX.rest
    if (used > 0 && used + needed > width) {
      count++
      used = 0
    }
    used += needed
  }
  return count
}
