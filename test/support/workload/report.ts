import type { Audit } from './audit.ts'
import { CONSUMED_AT_ONCE } from './reading.ts'
import type { Report, StreamReport } from './workload.ts'

/** The promises that a report shows to be broken, one in each line; empty when all were kept. */
export function brokenPromises ({ unnamed, named }: Report): string[] {
  const sides = [['without names', unnamed], ['with names', named]] as const
  return sides.flatMap(([side, report]) => broken(report).map((line) => `${side}: ${line}`))
}

/** The promises that an audit shows to be broken, one in each line. */
export function brokenIn ({ lost, repeated, wronglyFailed, disordered, outOfOrder, lies }: Audit): string[] {
  return [
    ...listed({ lost, repeated, wronglyFailed, disordered, lies }),
    ...outOfOrder > 0 ? [`${outOfOrder} messages of a name stand after a later one`] : []
  ]
}

function broken (report: StreamReport): string[] {
  const { missed, readTwice, largestRedelivery: most } = report
  return [
    ...brokenIn(report),
    ...listed({ missed, readTwice }),
    ...most > CONSUMED_AT_ONCE
      ? [`a consumer saw ${most} messages again, and takes at most ${CONSUMED_AT_ONCE} before it commits`]
      : []
  ]
}

function listed (faults: Record<string, string[]>): string[] {
  return Object.entries(faults)
    .filter(([, found]) => found.length > 0)
    .map(([kind, found]) => `${found.length} ${kind}: ${found.slice(0, 5).join(', ')}`)
}

/** The ledger in one line for each kind of publisher. */
export function ledgerLines ({ unnamed, named }: Report): string[] {
  return [ledgerLine('without names', unnamed), ledgerLine('with names   ', named)]
}

function ledgerLine (side: string, report: StreamReport): string {
  const { sent, confirmed, unknown, failed, stored, lost, repeated, redelivered, largestRedelivery } = report
  const told = `${sent} sent, ${confirmed} confirmed, ${unknown} unknown, ${failed} failed`
  const found = `${stored} read, ${lost.length} lost, ${repeated.length} repeated`
  return `${side}: ${told}; ${found}; a consumer saw ${redelivered} again, at most ${largestRedelivery} at once`
}
