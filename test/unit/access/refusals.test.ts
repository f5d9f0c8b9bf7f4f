import t from 'tap'
import type { AuditLine } from '../../../src/access/audit/events.ts'
import { RefusalSums } from '../../../src/access/audit/refusals.ts'
import { exactly } from '../../support/exactly.ts'

function sums () {
  const lines: AuditLine[] = []
  const sums = new RefusalSums((line) => { lines.push(line) })
  const refuse = (address: string, reason: string): void => {
    sums.note({
      audit: true,
      event: 'auth.refused',
      reason,
      address,
      caller: undefined,
      credential: undefined,
      scheme: undefined,
      reqId: 'request',
      operationId: 'whoami'
    })
  }
  return { lines, sums, refuse }
}

t.test('equal refusals are one line at once, and one with their number', async (t) => {
  const { lines, sums: all, refuse } = sums()
  for (let count = 0; count < 1000; count++) refuse('10.0.0.1', 'unknown key')
  refuse('10.0.0.2', 'unknown key')
  refuse('10.0.0.1', 'expired')
  t.match(lines, exactly({ address: '10.0.0.1' }, { address: '10.0.0.2' }, { reason: 'expired' }))
  t.notOk(lines.some((line) => 'repeated' in line))
  all.flush()
  t.match(lines.slice(3), exactly({ reason: 'unknown key', address: '10.0.0.1', repeated: 999, seconds: 10 }))
  t.notOk('reqId' in (lines[3] ?? {}), 'it belongs to no single request')
  all.flush()
  t.equal(lines.length, 4)
  refuse('10.0.0.1', 'unknown key')
  t.equal(lines.length, 5, 'the next one is told at once again')
})

t.test('refusals that all differ fill neither the memory nor the log', async (t) => {
  const { lines, sums: all, refuse } = sums()
  for (let count = 0; count < 100_000; count++) refuse(`10.0.${count >> 8}.${count & 255}`, 'unknown key')
  t.equal(lines.length, 1000)
  all.flush()
  t.match(lines.slice(1000), exactly({ event: 'auth.refused', repeated: 99_000 }))
})
