import { cpus, totalmem, type, release } from 'node:os'
import type { Case, CaseResult } from './cases/case.ts'
import type { Amount, Figures } from './compare.ts'

type Results = ReadonlyArray<readonly [Case, CaseResult]>

/** What the figures were measured on, and how. */
export function describeMachine (broker: string, { rounds, seconds }: Amount): string {
  const processors = cpus()
  return (
    `${processors.length} x ${processors[0]?.model.trim() ?? 'unknown processor'}, ` +
    `${Math.round(totalmem() / 2 ** 30)} GiB, ${type()} ${release()}, Node ${process.version}, RabbitMQ ${broker}; ` +
    `everything on this machine; ${rounds} rounds of ${seconds} s each, candidate and baseline in turn, medians`
  )
}

/** A table in Markdown. */
export function table (results: Results): string {
  const head = ['case', 'measured', 'baseline', 'ratio', 'goal', 'met', 'p50 / p99 ms', 'cores used', 'peak MB']
  const rows = results.map(([{ name }, { candidate, baseline, ratio, goals }]) => [
    name,
    rateOf(candidate),
    baseline === undefined ? '' : rateOf(baseline),
    ratio === undefined ? '' : ratio.toFixed(2),
    goals.map(({ text, measured }) => (text.startsWith('>=') ? text : `${text}: ${measured}`)).join('; '),
    goals.every(({ isMet }) => isMet) ? 'yes' : 'no',
    [candidate, baseline]
      .flatMap((figures) =>
        figures === undefined || Number.isNaN(figures.p50Ms)
          ? []
          : [`${figures.p50Ms.toFixed(1)} / ${figures.p99Ms.toFixed(1)}`]
      )
      .join(' vs '),
    [candidate, baseline].flatMap((figures) => (figures === undefined ? [] : [coresOf(figures)])).join(' vs '),
    String(Math.round(candidate.peakResidentBytes / 1e6))
  ])
  return (
    [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n') +
    `\n\n${results.map(([{ name, workload, baseline }]) => `- ${name}: ${workload}. Baseline: ` +
    `${baseline}.`).join('\n')}`
  )
}

/** All figures. */
export function toJson (results: Results, broker: string, amount: Amount): string {
  const { rounds, seconds } = amount
  return `${JSON.stringify(
    {
      machine: describeMachine(broker, amount),
      rounds,
      seconds,
      cases: results.map(([{ name, workload, baseline }, result]) => ({
        name,
        workload,
        baselineWorkload: baseline,
        ...result
      }))
    },
    null,
    2
  )}\n`
}

function rateOf ({ rate }: Figures): string {
  return `${Math.round(rate).toLocaleString('en')}/s`
}

function coresOf ({ cores }: Figures): string {
  return Object.entries(cores)
    .map(([name, used]) => `${name} ${used.toFixed(2)}`)
    .join(', ')
}
