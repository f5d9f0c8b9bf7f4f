import type { Audit } from './audit.ts'
import { CONSUMED_AT_ONCE } from './reading.ts'
import type { Report, StreamReport } from './workload.ts'

/** The promises that a report shows to be broken, a line each; empty when all were kept. */
export function brokenPromises ({ unnamed, named }: Report): string[] {
  return [...broken('without names', unnamed), ...broken('with names', named), ...outOfOrder('with names', named)]
}

/** The promises that an audit shows to be broken, a line each. Only of named publishers are all requests in order, not each alone. */
export function brokenIn (audit: Audit, { isNamed }: { isNamed: boolean }): string[] {
  const side = isNamed ? 'with names' : 'without names'
  return [...listed(side, faultsOf(audit)), ...isNamed ? outOfOrder(side, audit) : []]
}

function broken (side: string, report: StreamReport): string[] {
  const { missed, readTwice, largestRedelivery } = report
  return [
    ...listed(side, { ...faultsOf(report), missed, readTwice }),
    ...largestRedelivery > CONSUMED_AT_ONCE ? [`${side}: a consumer saw ${largestRedelivery} messages again, and takes at most ${CONSUMED_AT_ONCE} before it commits`] : []
  ]
}

function faultsOf ({ lost, repeated, wronglyFailed, disordered, lies }: Audit): Record<string, string[]> {
  return { lost, repeated, wronglyFailed, disordered, lies }
}

function listed (side: string, faults: Record<string, string[]>): string[] {
  return Object.entries(faults)
    .filter(([, found]) => found.length > 0)
    .map(([kind, found]) => `${side}: ${found.length} ${kind}: ${found.slice(0, 5).join(', ')}`)
}

function outOfOrder (side: string, { outOfOrder }: Audit): string[] {
  return outOfOrder > 0 ? [`${side}: ${outOfOrder} messages stand after a later one`] : []
}

/** The ledger in one line for each kind of publisher. */
export function ledgerLines ({ unnamed, named }: Report): string[] {
  return [ledgerLine('without names', unnamed), ledgerLine('with names   ', named)]
}

function ledgerLine (side: string, report: StreamReport): string {
  const { sent, confirmed, unknown, failed, stored, lost, repeated, redelivered, largestRedelivery } = report
  return `${side}: ${sent} sent, ${confirmed} confirmed, ${unknown} unknown, ${failed} failed; ${stored} read, ${lost.length} lost, ${repeated.length} repeated; a consumer saw ${redelivered} again, at most ${largestRedelivery} at once`
}
