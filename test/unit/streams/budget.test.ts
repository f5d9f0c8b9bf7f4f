import t from 'tap'
import { ByteBudget } from '../../../src/streams/common/budget.ts'

t.test('a caller that waits is not kept out by callers that come later', async (t) => {
  const budget = new ByteBudget(100)
  t.ok(budget.tryTake(90))
  const waiting = budget.takeLater(20, 5000)
  for (let times = 0; times < 5; times++) t.notOk(budget.tryTake(5), 'there is room for 5, but not beside the 20')
  budget.give(15)
  t.equal(await waiting, true)
  t.ok(budget.tryTake(5))
  t.equal(budget.usedBytes, 100)
})

t.test('a caller whose bytes fit beside those that wait is let in', async (t) => {
  const budget = new ByteBudget(100)
  budget.take(110)
  const waiting = budget.takeLater(20, 5000)
  budget.give(60)
  t.equal(await waiting, true)
  t.ok(budget.tryTake(30))
  t.notOk(budget.tryTake(1))
})

t.test('a caller that gives up waiting makes room for the next', async (t) => {
  const budget = new ByteBudget(100)
  budget.take(95)
  const leave = new AbortController()
  const first = budget.takeLater(20, 5000, leave.signal)
  const second = budget.takeLater(5, 5000)
  leave.abort()
  t.same(await Promise.all([first, second]), [false, true])
  t.equal(budget.usedBytes, 100)
})
