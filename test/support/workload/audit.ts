import type { Target } from './http-client.ts'
import type { Ledger } from './ledger.ts'
import { readWhole } from './reading.ts'
import { Tally } from './tally.ts'

/** What clients were told, beside what is in the stream. Every list of faults has to be empty. */
export interface Audit {
  sent: number
  confirmed: number
  unknown: number
  failed: number
  stored: number
  /** Confirmed and not in the stream. */
  lost: string[]
  /** In the stream more than once. */
  repeated: string[]
  /** Reported as not stored, and in the stream. */
  wronglyFailed: string[]
  /** Messages that stand after a later one of the same request. */
  disordered: string[]
  /** Messages of a named publisher that stand after a later one, of the same request or not. */
  outOfOrder: number
  lies: string[]
}

/** Reads the whole stream and holds it against what its publishers were told. */
export async function auditStream (target: Target, stream: string, ledgers: readonly Ledger[]): Promise<Audit> {
  const tally = new Tally(ledgers)
  await readWhole(target, stream, tally)
  const audit: Audit = {
    sent: 0,
    confirmed: 0,
    unknown: 0,
    failed: 0,
    stored: tally.seen,
    lost: [],
    repeated: [],
    wronglyFailed: [],
    disordered: tally.disordered,
    outOfOrder: tally.outOfOrder,
    lies: tally.strangers.map((body) => `${body} was never sent`)
  }
  for (const ledger of ledgers) addLedger(audit, ledger, tally)
  return audit
}

function addLedger (audit: Audit, ledger: Ledger, tally: Tally): void {
  audit.sent += ledger.sent
  audit.lies.push(...ledger.lies)
  for (let number = 0; number < ledger.sent; number++) {
    const outcome = ledger.outcomeOf(number)
    const times = tally.timesSeen(ledger, number)
    audit[outcome]++
    if (outcome === 'confirmed' && times === 0) audit.lost.push(ledger.bodyOf(number))
    if (outcome === 'failed' && times > 0) audit.wronglyFailed.push(ledger.bodyOf(number))
    if (times > 1) audit.repeated.push(ledger.bodyOf(number))
  }
}

/** What a reader that followed the stream missed of it, and what it saw more often than it is there. */
export function missedBy (
  reader: Tally,
  stream: Tally,
  ledgers: readonly Ledger[]
): { missed: string[], extra: string[] } {
  const missed: string[] = []
  const extra: string[] = []
  for (const ledger of ledgers) {
    for (let number = 0; number < ledger.sent; number++) {
      const [read, stored] = [reader.timesSeen(ledger, number), stream.timesSeen(ledger, number)]
      if (read < stored) missed.push(ledger.bodyOf(number))
      if (read > stored) extra.push(ledger.bodyOf(number))
    }
  }
  return { missed, extra }
}
