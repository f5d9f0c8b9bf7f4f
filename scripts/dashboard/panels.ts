import { readFile } from '../docs/page.ts'
import { list, record } from '../../test/support/schema-values.ts'

/** A query of a panel. */
export interface Target {
  readonly expression: string
  /** The name of each line, with `{{label}}` for the value of a label. */
  readonly legend: string
  /** Asked for one moment, and not for a range of time. */
  readonly isInstant: boolean
}

/** A panel as it is drawn. */
export interface Panel {
  readonly type: PanelType
  readonly title: string
  readonly description: string
  /** Where it lies, in columns of 24 and in lines. */
  readonly grid: { readonly x: number, readonly y: number, readonly w: number, readonly h: number }
  readonly targets: readonly Target[]
  readonly unit: string
  readonly isLogarithmic: boolean
  readonly isStacked: boolean
  /** From which value on there is which colour, ascending. */
  readonly thresholds: ReadonlyArray<{ readonly from: number, readonly color: string }>
  /** What stands there when there is nothing to show. */
  readonly noValue: string
}

const TYPES = ['row', 'stat', 'timeseries', 'state-timeline', 'table'] as const
export type PanelType = typeof TYPES[number]

/** Which rows are in which picture. The one without a name is at the top. */
export const PICTURES: Readonly<Record<string, readonly string[]>> = {
  consumers: ['', 'Consumers'],
  'streams-and-push': ['Streams', 'Push'],
  gateway: ['Gateway', 'Access']
}

/** The panels of the dashboard, from the top to the bottom. @throws when one is of a type that cannot be drawn */
export function readPanels (): Panel[] {
  const dashboard = record(JSON.parse(readFile('deploy/grafana/gateway.json')))
  return list(dashboard['panels']).map(record).map(panelOf).sort((a, b) => a.grid.y - b.grid.y || a.grid.x - b.grid.x)
}

/** The panels of each row, the first ones under the name ''. */
export function byRow (panels: readonly Panel[]): Map<string, Panel[]> {
  const rows = new Map<string, Panel[]>()
  let name = ''
  for (const panel of panels) {
    if (panel.type === 'row') name = panel.title
    rows.set(name, [...rows.get(name) ?? [], panel])
  }
  return rows
}

/** An expression as Grafana sends it when everything is chosen. */
export function withEverythingChosen (expression: string): string {
  return expression.replace(/\$(job|stream|consumer)\b/g, '.*')
}

/** The name of a line: that of the legend, with the labels of the line. */
export function legendOf (legend: string, labels: Readonly<Record<string, unknown>>): string {
  return legend.replace(/\{\{(\w+)\}\}/g, (_, label: string) => String(labels[label] ?? ''))
}

function panelOf (panel: Readonly<Record<string, unknown>>): Panel {
  const { x, y, w, h } = record(panel['gridPos'])
  const defaults = record(record(panel['fieldConfig'] ?? {})['defaults'] ?? {})
  const custom = record(defaults['custom'] ?? {})
  const type = TYPES.find((known) => known === panel['type'])
  if (type === undefined) throw new Error(`a panel of the type ${String(panel['type'])} cannot be drawn`)
  return {
    type,
    title: String(panel['title']),
    description: String(panel['description'] ?? ''),
    grid: { x: Number(x), y: Number(y), w: Number(w), h: Number(h) },
    targets: list(panel['targets'] ?? []).map(record).map(({ expr, legendFormat, instant }) => ({
      expression: String(expr), legend: String(legendFormat), isInstant: instant === true
    })),
    unit: String(defaults['unit'] ?? 'none'),
    isLogarithmic: record(custom['scaleDistribution'] ?? {})['type'] === 'log',
    isStacked: record(custom['stacking'] ?? {})['mode'] === 'normal',
    thresholds: list(record(defaults['thresholds'] ?? {})['steps'] ?? []).map(record).map(({ value, color }) => ({
      from: value === null ? -Infinity : Number(value), color: String(color)
    })),
    noValue: String(defaults['noValue'] ?? 'No data')
  }
}
