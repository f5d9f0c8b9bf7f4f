import t from 'tap'
import { startGateway } from '../gateway.ts'
import { auditStream, Ledger, Tally, type Outcome } from './index.ts'
import { missedBy } from './audit.ts'

t.test('an audit finds every kind of broken promise', async (t) => {
  const gateway = await startGateway(t)
  const stream = await gateway.newStream(t)
  const ledger = new Ledger('u0', { isNamed: false })
  const told: Outcome[] = ['confirmed', 'confirmed', 'failed', 'unknown', 'confirmed', 'confirmed']
  ledger.take(told.length)
  told.forEach((outcome, number) => { ledger.tell(number, outcome) })
  // 1 is lost, 2 is stored though it was said to have failed, 4 comes twice, 5 before 4; nobody sent the last one.
  const stored = [...[0, 2, 3, 5, 4, 4].map((number) => ledger.bodyOf(number)), 'x:0']
  await gateway.request('POST', `/v1/streams/${stream}/messages/lines`, { body: stored.join('\n') })
  t.match(await auditStream(gateway, stream, [ledger]), {
    sent: 6, confirmed: 4, unknown: 1, failed: 1, stored: 7, lost: ['u0:1'], wronglyFailed: ['u0:2'], repeated: ['u0:4'], outOfOrder: 1, lies: ['nobody sent x:0']
  })
})

t.test('a reader that missed a message, or got one twice, is found', (t) => {
  const ledger = new Ledger('p0', { isNamed: true })
  ledger.take(3)
  const [reader, stream] = [new Tally([ledger]), new Tally([ledger])]
  for (const number of [0, 1, 2]) stream.add(ledger.bodyOf(number))
  for (const number of [0, 2, 2]) reader.add(ledger.bodyOf(number))
  t.same(missedBy(reader, stream, [ledger]), { missed: ['p0:1'], extra: ['p0:2'] })
  t.end()
})
