import t from 'tap'
import { BodyBudget } from '../../../src/http/body-budget.ts'

const KIB = 1024
const refusal = { code: 'overloaded' }

t.test('what is announced is kept for who sends it: later ones are refused with their headers', async (t) => {
  const budget = new BodyBudget(1000 * KIB, () => 0)
  const [first, second, third] = [budget.claim(), budget.claim(), budget.claim()]
  first.announce(600 * KIB)
  t.throws(() => { second.announce(600 * KIB) }, refusal)
  third.announce(400 * KIB)
  for (let held = 0; held <= 600; held += 100) first.hold(held * KIB)
  t.equal(budget.heldBytes, 600 * KIB)
  t.throws(() => { second.announce(100 * KIB) }, refusal)
  first.hold(0)
  second.announce(600 * KIB)
  t.equal(budget.heldBytes, 0)
})

t.test('who announces much and sends little keeps it from others for a moment only', async (t) => {
  let nowMs = 0
  const budget = new BodyBudget(1000 * KIB, () => nowMs)
  const [trickling, sending, newcomer] = [budget.claim(), budget.claim(), budget.claim()]
  trickling.announce(500 * KIB)
  sending.announce(500 * KIB)
  nowMs = 990
  trickling.hold(1)
  sending.hold(400 * KIB)
  t.throws(() => { newcomer.announce(400 * KIB) }, refusal)
  nowMs = 1100
  trickling.hold(2)
  newcomer.announce(400 * KIB)
  t.same(
    [trickling.promisedBytes, sending.promisedBytes, newcomer.promisedBytes],
    [0, 100 * KIB, 400 * KIB],
    'a MiB a second is quick enough'
  )
  newcomer.hold(400 * KIB)
  t.throws(() => { trickling.hold(500 * KIB) }, refusal, 'who was too slow competes for what is left')
  t.equal(trickling.heldBytes, 2, 'a refusal changes nothing')
  sending.hold(500 * KIB)
  nowMs = 2000
  t.equal(budget.heldBytes, 900 * KIB + 2)
})

t.test('small bodies are kept out by what is in memory, and not by promises', async (t) => {
  const budget = new BodyBudget(1000 * KIB, () => 0)
  const [large, small] = [budget.claim(), budget.claim()]
  large.announce(1000 * KIB)
  small.announce(20 * KIB)
  small.hold(20 * KIB)
  small.hold(0)
  large.hold(990 * KIB)
  t.throws(() => { small.announce(20 * KIB) }, refusal)
  t.throws(() => { small.hold(20 * KIB) }, refusal)
  large.hold(0)
  t.equal(budget.heldBytes, 0)
})

t.test('one alone always fits', async (t) => {
  const budget = new BodyBudget(10 * KIB, () => 0)
  const [large, small] = [budget.claim(), budget.claim()]
  large.announce(50 * KIB)
  large.hold(50 * KIB)
  t.throws(() => { small.announce(1) }, refusal)
  large.hold(0)
  small.hold(5 * KIB)
  t.throws(() => { large.announce(50 * KIB) }, refusal)
  small.hold(0)
  large.announce(50 * KIB)
})

t.test('after the end of a request nothing is held or promised for it', async (t) => {
  const budget = new BodyBudget(1000 * KIB, () => 0)
  const [gone, other] = [budget.claim(), budget.claim()]
  gone.announce(600 * KIB)
  gone.hold(100 * KIB)
  gone.end()
  t.equal(budget.heldBytes, 0)
  gone.hold(1000 * KIB)
  gone.announce(1000 * KIB)
  t.same([budget.heldBytes, gone.heldBytes, gone.promisedBytes], [0, 0, 0])
  gone.end()
  other.announce(1000 * KIB)
})
