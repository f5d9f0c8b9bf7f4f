import t from 'tap'
import { Turnstile } from '../../../src/access/turnstile.ts'

t.test('so many are inside, and whoever has waited longest is next', async (t) => {
  const turnstile = new Turnstile(2, { maxWaiting: 2, waitMs: 60_000 })
  t.same(await Promise.all([turnstile.enter(), turnstile.enter()]), [true, true])
  const entered: string[] = []
  const waiting = ['first', 'second'].map(async (who) => { if (await turnstile.enter()) entered.push(who) })
  t.equal(await turnstile.enter(), false, 'too many wait')
  turnstile.leave()
  await waiting[0]
  t.same(entered, ['first'])
  turnstile.leave()
  await waiting[1]
  t.same(entered, ['first', 'second'])
  turnstile.leave()
  t.equal(await turnstile.enter(), true)
})

t.test('a wait ends in time, and holds no place then', async (t) => {
  const turnstile = new Turnstile(1, { maxWaiting: 1, waitMs: 5 })
  t.equal(await turnstile.enter(), true)
  t.equal(await turnstile.enter(), false)
  turnstile.leave()
  t.equal(await turnstile.enter(), true)
})
