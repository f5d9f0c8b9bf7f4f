import type { Prometheus } from '../../test/support/prometheus.ts'
import type { Line } from './chart.ts'
import { legendOf, withEverythingChosen, type Panel, type Target } from './panels.ts'

/** When a panel is asked for, in seconds since 1970. */
export interface Span {
  readonly start: number
  readonly end: number
  /** Between two values. */
  readonly step: number
}

// A run of minutes has little to say of the last five. Scrapes come every second, samples of streams every two.
const RANGES: Readonly<Record<string, string>> = { '[5m]': '[15s]', '[5m:15s]': '[15s:1s]' }

/** An expression as it is asked: for everything that there is to choose, and with shorter ranges. */
export function asAsked (expression: string): string {
  return withEverythingChosen(expression).replace(/\[.+?\]/g, (range) => RANGES[range] ?? range)
}

/** What Prometheus answers to the queries of a panel: lines over time, or of its last moment. */
export async function linesOf (panel: Panel, prometheus: Prometheus, span: Span): Promise<Line[]> {
  const answers = await Promise.all(panel.targets.map(async (target) => await answersTo(target, prometheus, span)))
  return answers.flat().filter(({ points }) => points.some(([, value]) => value !== null))
}

async function answersTo (
  { expression, legend, isInstant }: Target, prometheus: Prometheus, span: Span
): Promise<Line[]> {
  const query = asAsked(expression)
  if (isInstant) {
    const samples = await prometheus.query(query, span.end)
    return samples.map(({ labels, value }) => ({ name: legendOf(legend, labels), points: [[span.end, orNull(value)]] }))
  }
  const series = await prometheus.queryRange(query, span)
  return series.map(({ labels, values }) => {
    const known = new Map(values)
    const times = Array.from({ length: Math.floor((span.end - span.start) / span.step) + 1 }, (_, index) => {
      return span.start + index * span.step
    })
    return {
      name: legendOf(legend, labels),
      points: times.map((at) => [at, orNull(known.get(at) ?? NaN)])
    }
  })
}

function orNull (value: number): number | null {
  return Number.isFinite(value) ? value : null
}
