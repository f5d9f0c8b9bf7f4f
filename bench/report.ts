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
    both(candidate, baseline).flatMap(latenciesOf).join(' vs '),
    both(candidate, baseline).map(coresOf).join(' vs '),
    String(Math.round(candidate.peakResidentBytes / 1e6))
  ])
  const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`)
  const workloads = results.map(([{ name, workload, baseline }]) => `- ${name}: ${workload}. Baseline: ${baseline}.`)
  return `${lines.join('\n')}\n\n${workloads.join('\n')}`
}

/** All figures. */
export function toJson (results: Results, broker: string, amount: Amount): string {
  const { rounds, seconds } = amount
  const cases = results.map(([{ name, workload, baseline }, result]) => (
    { name, workload, baselineWorkload: baseline, ...result }
  ))
  return `${JSON.stringify({ machine: describeMachine(broker, amount), rounds, seconds, cases }, null, 2)}\n`
}

function both (candidate: Figures, baseline: Figures | undefined): readonly Figures[] {
  return baseline === undefined ? [candidate] : [candidate, baseline]
}

function rateOf ({ rate }: Figures): string {
  return `${Math.round(rate).toLocaleString('en')}/s`
}

/** None when they were not measured. */
function latenciesOf ({ p50Ms, p99Ms }: Figures): string[] {
  return Number.isNaN(p50Ms) ? [] : [`${p50Ms.toFixed(1)} / ${p99Ms.toFixed(1)}`]
}

function coresOf ({ cores }: Figures): string {
  return Object.entries(cores).map(([name, used]) => `${name} ${used.toFixed(2)}`).join(', ')
}
