import t from 'tap'
import { startGateway } from '../gateway.ts'
import { auditStream, brokenIn, Ledger, Tally, type Outcome } from './index.ts'
import { missedBy } from './audit.ts'

for (const isNamed of [false, true]) {
  t.test(`an audit finds every broken promise to a publisher ${isNamed ? 'with' : 'without'} a name`, async (t) => {
    const gateway = await startGateway(t)
    const stream = await gateway.newStream(t)
    const told: Outcome[] = ['confirmed', 'confirmed', 'failed', 'unknown', 'confirmed', 'confirmed']
    const ledger = new Ledger('p', { isNamed, batch: told.length })
    ledger.take()
    told.forEach((outcome, number) => { ledger.tell(number, outcome) })
    // 1 is lost, 2 is stored though it was reported as failed, 4 comes twice, 5 before 4; the last one was never sent.
    const stored = [...[0, 2, 3, 5, 4, 4].map((number) => ledger.bodyOf(number)), 'x:0']
    await gateway.request('POST', `/v1/streams/${stream}/messages/lines`, { body: stored.join('\n') })
    const audit = await auditStream(gateway, stream, [ledger])
    t.same(audit, {
      sent: 6,
      confirmed: 4,
      unknown: 1,
      failed: 1,
      stored: 7,
      lost: ['p:1'],
      wronglyFailed: ['p:2'],
      repeated: ['p:4'],
      disordered: ['p:4'],
      outOfOrder: isNamed ? 1 : 0,
      lies: ['x:0 was never sent']
    })
    t.equal(brokenIn(audit).length, isNamed ? 6 : 5, 'each is a broken promise')
  })
}

t.test('requests may change places, messages of one request may not', (t) => {
  const ledger = new Ledger('u0', { isNamed: false, batch: 3 })
  ledger.take()
  ledger.take()
  const disorderOf = (...numbers: number[]): string[] => {
    const tally = new Tally([ledger])
    for (const number of numbers) tally.add(ledger.bodyOf(number))
    return tally.disordered
  }
  t.same(disorderOf(3, 4, 5, 0, 1, 2), [])
  t.same(disorderOf(0, 3, 1, 4, 5, 2), [], 'mixed')
  t.same(disorderOf(0, 1, 0, 1, 2), [], 'a message that is there twice is called repeated')
  t.same(disorderOf(0, 2, 1, 3, 5, 4), ['u0:1', 'u0:4'])
  t.end()
})

t.test('a reader that missed a message, or got one twice, is found', (t) => {
  const ledger = new Ledger('p0', { isNamed: true, batch: 3 })
  ledger.take()
  const [reader, stream] = [new Tally([ledger]), new Tally([ledger])]
  for (const number of [0, 1, 2]) stream.add(ledger.bodyOf(number))
  for (const number of [0, 2, 2]) reader.add(ledger.bodyOf(number))
  t.same(missedBy(reader, stream, [ledger]), { missed: ['p0:1'], extra: ['p0:2'] })
  t.end()
})
