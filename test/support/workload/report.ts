import type { Report, StreamReport } from './workload.ts'

/** The promises that a report shows to be broken, a line each; empty when all were kept. */
export function brokenPromises ({ unnamed, named }: Report): string[] {
  return [
    ...broken('without names', unnamed),
    ...broken('with names', named),
    ...named.outOfOrder > 0 ? [`with names: ${named.outOfOrder} messages stand after a later one`] : []
  ]
}

function broken (side: string, { lost, repeated, wronglyFailed, missed, readTwice, lies }: StreamReport): string[] {
  return Object.entries({ lost, repeated, wronglyFailed, missed, readTwice, lies })
    .filter(([, found]) => found.length > 0)
    .map(([kind, found]) => `${side}: ${found.length} ${kind}: ${found.slice(0, 5).join(', ')}`)
}

/** The ledger in one line for each kind of publisher. */
export function ledgerLines ({ unnamed, named }: Report): string[] {
  return [ledgerLine('without names', unnamed), ledgerLine('with names   ', named)]
}

function ledgerLine (side: string, report: StreamReport): string {
  const { sent, confirmed, unknown, failed, stored, lost, repeated, redelivered, largestRedelivery } = report
  return `${side}: ${sent} sent, ${confirmed} confirmed, ${unknown} unknown, ${failed} failed; ${stored} read, ${lost.length} lost, ${repeated.length} repeated; a consumer saw ${redelivered} again, at most ${largestRedelivery} at once`
}
