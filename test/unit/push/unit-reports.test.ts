import t from 'tap'
import type { Subscription } from '../../../src/push/definitions/definitions.ts'
import type { StatusRecord } from '../../../src/push/status/status-record.ts'
import { UnitReports } from '../../../src/push/supervision/unit-reports.ts'
import { unitId, type Unit } from '../../../src/push/unit.ts'
import { aDefinition, aKey } from '../../support/definitions.ts'

const key = aKey('s')
const unit: Unit = { key, partition: '', redrive: '' }

function aSubscription (generation: number): Subscription {
  return { key, definition: aDefinition(), version: 9, generation, starts: {}, resets: {}, skips: {}, redrives: [] }
}

const record: StatusRecord = {
  unit: unitId(unit),
  owner: 'before',
  generation: 3,
  takeovers: 4,
  at: 0,
  state: 'idle',
  reason: null,
  nextOffset: 42,
  retry: null,
  lastSuccessAt: null,
  lastFailure: null,
  consecutiveFailures: 0,
  missed: 0
}

t.test('a worker is told what the owner before had reached in the same generation, and in no other', (t) => {
  const reports = () => new UnitReports(unit, { status: { publish: () => {} }, instance: 'own' })
  t.match(reports().begin(aSubscription(3), record), { reached: 42, deliveryGeneration: 8 })
  t.equal(reports().begin(aSubscription(4), record).reached, undefined)
  t.equal(reports().begin(aSubscription(3), undefined).reached, undefined)
  t.end()
})

t.test('a worker that follows a reset is told the place of the reset', (t) => {
  const reports = new UnitReports(unit, { status: { publish: () => {} }, instance: 'own' })
  reports.begin(aSubscription(3), record)
  t.equal(reports.begin(aSubscription(4), record).reached, undefined)
  reports.moved(1)
  t.equal(reports.begin(aSubscription(4), record).reached, 1)
  t.end()
})

t.test('what a redrive has settled is counted across owners and workers', (t) => {
  const said: unknown[] = []
  const status = { publish: ({ counts }: { counts?: unknown }) => { said.push(counts) } }
  const reports = new UnitReports(unit, { status, instance: 'own' })
  reports.begin(aSubscription(3), { ...record, counts: { delivered: 5, failed: 2 } })
  for (const delivered of [1, 2]) reports.worker({ ...record, counts: { delivered, failed: 1 } })
  reports.stopped('paused')
  reports.begin(aSubscription(3), undefined)
  reports.worker({ ...record, counts: { delivered: 1, failed: 0 } })
  t.same(said, [
    { delivered: 6, failed: 3 }, { delivered: 7, failed: 3 }, { delivered: 7, failed: 3 }, { delivered: 8, failed: 3 }
  ])
  t.end()
})
