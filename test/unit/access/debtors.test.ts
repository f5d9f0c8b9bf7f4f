import t from 'tap'
import { Debtors } from '../../../src/access/quotas/debtors.ts'
import { until } from '../../support/until.ts'

t.test('without a debt nobody waits', (t) => {
  const debtors = new Debtors(() => 0)
  t.equal(debtors.join(() => { t.fail('it was not to wait') }), false)
  t.end()
})

t.test('those who wait continue in turn, each when the debt of the one before is paid', async (t) => {
  let debtSeconds = 0.02
  const told: string[] = []
  const debtors = new Debtors(() => debtSeconds)
  const join = (name: string): (() => void) => {
    const paid = (): void => {
      told.push(name)
      // It takes something at once, and waits again.
      debtSeconds = 0.02
      if (told.length < 9) debtors.join(paid)
    }
    t.equal(debtors.join(paid), true)
    t.equal(debtors.join(paid), true, 'asking again changes nothing')
    return paid
  }
  const leaving = join('a')
  const others = ['b', 'c', 'd'].map(join)
  debtors.leave(leaving)
  for (let count = 1; count <= 6; count++) {
    debtSeconds = 0
    await until('the next one', () => told.length >= count)
  }
  for (const paid of others) debtors.leave(paid)
  t.same(told.slice(0, 6), ['b', 'c', 'd', 'b', 'c', 'd'])
})

t.test('when the last one leaves, no timer is left', (t) => {
  const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
  const before = timers()
  const debtors = new Debtors(() => 3600)
  const paid = (): void => { t.fail('it has left') }
  debtors.join(paid)
  t.equal(timers(), before + 1)
  debtors.leave(paid)
  debtors.leave(paid)
  t.equal(timers(), before)
  t.end()
})
