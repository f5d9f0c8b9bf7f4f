import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { BodyBudget } from '../../../src/http/body-budget.ts'

const KIB = 1024
const refusal = { code: 'overloaded' }

t.test('what is announced is kept for who sends it: later ones are refused with their headers', async (t) => {
  const budget = new BodyBudget(1000 * KIB)
  const [first, second, third] = [budget.claim(), budget.claim(), budget.claim()]
  first.announce(600 * KIB)
  t.throws(() => { second.announce(600 * KIB) }, refusal)
  third.announce(400 * KIB)
  t.throws(() => { second.hold(1) }, refusal, 'not a byte more')
  for (let held = 0; held <= 600; held += 100) first.hold(held * KIB)
  t.equal(budget.heldBytes, 600 * KIB)
  t.throws(() => { second.announce(100 * KIB) }, refusal)
  first.hold(0)
  second.announce(600 * KIB)
  t.equal(budget.heldBytes, 0)
})

t.test('who announces and does not send keeps it from others for a moment only', async (t) => {
  const budget = new BodyBudget(1000 * KIB)
  const [silent, sending, newcomer] = [budget.claim(), budget.claim(), budget.claim()]
  silent.announce(500 * KIB)
  sending.announce(500 * KIB)
  t.throws(() => { newcomer.announce(400 * KIB) }, refusal)
  await delay(1100)
  sending.hold(100 * KIB)
  newcomer.announce(500 * KIB)
  t.same([silent.promisedBytes, sending.promisedBytes, newcomer.promisedBytes], [0, 400 * KIB, 500 * KIB])
  t.throws(() => { silent.hold(1) }, refusal, 'who was too slow competes with all others')
  sending.hold(0)
  silent.hold(500 * KIB)
  t.throws(() => { silent.hold(501 * KIB) }, refusal)
  t.equal(silent.heldBytes, 500 * KIB, 'a refusal changes nothing')
})

t.test('one alone always fits, and what is small is not kept', async (t) => {
  const budget = new BodyBudget(10 * KIB)
  const [large, small] = [budget.claim(), budget.claim()]
  large.announce(50 * KIB)
  t.throws(() => { small.announce(1) }, refusal)
  large.hold(50 * KIB)
  large.hold(0)
  small.announce(5 * KIB)
  t.equal(small.promisedBytes, 0)
  small.hold(5 * KIB)
  t.throws(() => { large.announce(50 * KIB) }, refusal)
  small.hold(0)
  t.equal(budget.heldBytes, 0)
})
