import fc from 'fast-check'
import t from 'tap'
import type { RetryPolicy, RetryState } from '../../../src/push/delivery/delivery.ts'
import { keyedDelivery } from '../../../src/push/delivery/keyed-delivery.ts'
import { unorderedDelivery } from '../../../src/push/delivery/unordered-delivery.ts'
import { MAX_WINDOW, type WindowedDelivery } from '../../../src/push/delivery/windowed-delivery.ts'
import { messagesOf, POLICY, Simulation, type Message } from './simulation.ts'

interface Options { concurrency: number, maxMessages: number, maxWaitMs: number }

const ONE_BY_ONE: Options = { concurrency: 4, maxMessages: 1, maxWaitMs: 0 }
const MESSAGE_BYTES = 10

function open (
  order: 'key' | 'none', { port }: Simulation, { concurrency, ...limits }: Options = ONE_BY_ONE,
  policy: Partial<RetryPolicy> = {}, retry?: RetryState
): WindowedDelivery<Message> {
  const options = {
    concurrency,
    batch: { maxBytes: 1000, ...limits },
    bytesOf: () => MESSAGE_BYTES,
    keyOf: ({ key }: Message) => key
  }
  const make = order === 'key' ? keyedDelivery<Message> : unorderedDelivery<Message>
  return make(port, { ...POLICY, ...policy }, options, retry)
}

/** How often a message fails, and how, before it succeeds. */
interface Script { key: string | undefined, fails: number, status: number, ms: number }

const script: fc.Arbitrary<Script> = fc.record({
  key: fc.constantFrom(undefined, 'a', 'b', 'c', 'd', 'e', 'f', 'g'),
  fails: fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.integer({ min: 1, max: 6 }) }),
  status: fc.constantFrom(500, 422, 503),
  ms: fc.integer({ min: 1, max: 3000 })
})

const options: fc.Arbitrary<Options> = fc.record({
  concurrency: fc.integer({ min: 1, max: 8 }),
  maxMessages: fc.integer({ min: 1, max: 5 }),
  maxWaitMs: fc.constantFrom(0, 0, 500)
})

function simulationOf (scripts: readonly Script[]): Simulation {
  const failed = new Map<number, number>()
  return new Simulation((offsets) => {
    const ms = Math.max(...offsets.map((offset) => scripts[offset]?.ms ?? 1))
    const bad = offsets.find((offset) => (failed.get(offset) ?? 0) < (scripts[offset]?.fails ?? 0))
    if (bad === undefined) return { status: 204, ms }
    failed.set(bad, (failed.get(bad) ?? 0) + 1)
    return { status: scripts[bad]?.status ?? 500, ms }
  })
}

for (const order of ['key', 'none'] as const) {
  t.test(`${order}: whatever fails, nothing is lost, doubled or settled too early`, async () => {
    await fc.assert(fc.asyncProperty(fc.array(script, { maxLength: 60 }), options, async (scripts, given) => {
      const world = simulationOf(scripts)
      const messages = messagesOf(scripts.map(({ key }) => key))
      const pause = await world.run(open(order, world, given), messages)
      const problems = [...world.faults]
      if (pause !== undefined) problems.push(`it has paused: ${pause}`)
      if (scripts.length > 0 && world.settled.at(-1)?.[0] !== scripts.length - 1) problems.push('not all is settled')
      const errors = world.errors.map(({ offset }) => offset)
      if (new Set(errors).size < errors.length) problems.push('two entries of one message')
      if (world.requests.some(({ inFlight }) => inFlight > given.concurrency)) problems.push('too many in flight')
      if (world.requests.some(({ offsets }) => offsets.length > given.maxMessages)) problems.push('too large a batch')
      // While the endpoint is away, the first message is tried, and no other one beside it.
      const probes = world.requests.filter(({ isOutage }) => isOutage)
      if (probes.some(({ inFlight }) => inFlight > 1)) problems.push('a probe was not alone')
      if (probes.some(({ offsets, head }) => offsets.length > 1 || offsets[0] !== head)) {
        problems.push('a probe was not the first message')
      }
      if (order === 'key') problems.push(...disorder(scripts, world))
      if (problems.length > 0) throw new Error(problems.join('; '))
    }), { numRuns: 150 })
  })
}

// Of one key there is one request at a time, and its messages come in their order.
function disorder (scripts: readonly Script[], { requests }: Simulation): string[] {
  const problems: string[] = []
  for (const key of new Set(scripts.map((one) => one.key))) {
    const mine = requests.filter(({ offsets }) => offsets.some((offset) => scripts[offset]?.key === key))
    mine.forEach(({ startedAt, offsets }, index) => {
      const before = mine[index - 1]
      if (before !== undefined && before.endedAt > startedAt) problems.push('two requests of one key at a time')
      const own = offsets.filter((offset) => scripts[offset]?.key === key)
      const earlier = before?.offsets.find((offset) => scripts[offset]?.key === key) ?? -1
      if ((own[0] ?? 0) < earlier) problems.push(`${own[0]} came after ${earlier}`)
    })
  }
  return problems
}

t.test('a message that fails holds up its own key and no other', async (t) => {
  const world = new Simulation((offsets) => ({ status: offsets.includes(0) ? 500 : 204, ms: 10 }))
  const keys = Array.from({ length: 40 }, (_, index) => `key ${index % 20}`)
  await world.run(open('key', world, { ...ONE_BY_ONE, concurrency: 64 }), messagesOf(keys))
  const giveUpAt = world.errors[0]?.failedAt ?? 0
  const late = world.requests.filter(({ startedAt }) => startedAt > giveUpAt).flatMap(({ offsets }) => offsets)
  t.same(late, [20], 'the next of its key')
  t.same([world.settled[0], world.settled.at(-1)], [[0, 'error'], [39, 'delivered']])
})

t.test('without an order a message that waits for its next try holds up no other, up to the window', async (t) => {
  const world = new Simulation((offsets) => ({ status: offsets.includes(0) ? 500 : 204, ms: 10 }))
  const delivery = open('none', world, { ...ONE_BY_ONE, concurrency: 1 }, { initialDelayMs: 1e9, maxDelayMs: 1e9 })
  const messages = messagesOf(Array.from({ length: MAX_WINDOW + 300 }, () => undefined))
  const { signal } = new AbortController()
  const taken = delivery.deliver(messages, signal)
  await world.when(() => new Set(world.requests.flatMap(({ offsets }) => offsets)).size === MAX_WINDOW)
  t.equal(delivery.room, 0)
  t.same(world.settled, [])
  t.equal(await world.until(taken.then(async () => await delivery.finish(signal))), undefined)
  t.equal(world.settled.at(-1)?.[0], MAX_WINDOW + 299)
  const ahead = world.requests.map(({ offsets, head }) => Math.max(...offsets) - head)
  t.ok(Math.max(...ahead) < MAX_WINDOW, 'the window is respected')
})

t.test('a message that a takeover has found failing is tried at its time, with its number', async (t) => {
  const retry: RetryState = {
    offset: 0,
    attempts: 7,
    counted: 0,
    failure: 'endpoint',
    status: 503,
    error: '503',
    firstFailedAt: 0,
    failedAt: 900_000,
    nextAttemptAt: 1_050_000
  }
  const world = new Simulation(() => ({ status: 204, ms: 10 }))
  await world.run(open('key', world, ONE_BY_ONE, {}, retry), messagesOf(['a', 'b', 'c']))
  t.match(world.requests[0], { attempt: 8, startedAt: retry.nextAttemptAt })
  t.same(world.requests[0]?.offsets, [0])
  t.ok(world.requests.every(({ startedAt }) => startedAt >= retry.nextAttemptAt))
})

t.test('failures count together, whatever their lane', async (t) => {
  const world = new Simulation(() => ({ status: 422, ms: 10 }))
  const keys = Array.from({ length: 30 }, (_, index) => String(index))
  const policy = { maxConsecutiveFailures: 5, messageAttempts: 1 }
  t.equal(await world.run(open('key', world, ONE_BY_ONE, policy), messagesOf(keys)), 'too_many_failures')
  t.equal(world.errors.length, 5)
})

t.test('410 pauses at once; what is in flight comes to its end and counts', async (t) => {
  const world = new Simulation(([offset]) => offset === 3 ? { status: 410, ms: 1 } : { status: 204, ms: 50 })
  t.equal(await world.run(open('none', world), messagesOf(Array.from({ length: 30 }, () => undefined))), 'gone')
  t.same(world.requests.map(({ offsets }) => offsets), [[0], [1], [2], [3]])
  t.same(world.settled.at(-1), [2, 'delivered'])
})

t.test('a delivery that is stopped sends nothing more and waits for what is in flight', async (t) => {
  const world = new Simulation(() => ({ status: 204, ms: 50 }))
  const delivery = open('none', world)
  const { signal } = new AbortController()
  await delivery.deliver(messagesOf(Array.from({ length: 30 }, () => undefined)), signal)
  await world.when(() => world.requests.length === 4)
  await world.until(delivery.stop())
  t.equal(world.requests.length, 4)
  t.same(world.settled.at(-1), [3, 'delivered'])
  t.ok(delivery.over.aborted)
})

t.test('a delivery that is given up ends with the reason', async (t) => {
  const world = new Simulation(() => ({ status: 503, ms: 50 }))
  const aborter = new AbortController()
  const running = world.run(open('key', world), messagesOf(['a', 'b', 'c']), aborter.signal)
  world.port.sleepUntil(world.now + 500, new AbortController().signal)
    .then(() => { aborter.abort(new Error('handed over')) }, () => {})
  await t.rejects(running, { message: 'handed over' })
})

t.test('what the port throws ends the delivery with it', async (t) => {
  const world = new Simulation(() => ({ status: 422, ms: 50 }))
  const { port } = world
  const broken = { ...port, toErrorStream: async () => { throw new Error('not writable') } }
  const limits = { maxMessages: 1, maxBytes: 1000, maxWaitMs: 0 }
  const delivery = unorderedDelivery(broken, POLICY, { concurrency: 2, batch: limits, bytesOf: () => MESSAGE_BYTES })
  await t.rejects(world.run(delivery, messagesOf(['a', 'b', 'c'])), { message: 'not writable' })
})

t.test('the first message can be skipped while it waits for its next try', async (t) => {
  for (const order of ['key', 'none'] as const) {
    const world = new Simulation((offsets) => ({ status: offsets.includes(0) ? 500 : 204, ms: 10 }))
    const options = { ...ONE_BY_ONE, concurrency: 64 }
    const delivery = open(order, world, options, { initialDelayMs: 1e6, maxDelayMs: 1e6 })
    const { signal } = new AbortController()
    await delivery.deliver(messagesOf(['a', 'b', 'c']), signal)
    await world.when(() => delivery.retry !== undefined && world.requests.length === 3)
    delivery.skip(0)
    await world.until(delivery.finish(signal))
    t.same(world.errors.map(({ offset }) => offset), [0])
    t.equal(world.settled.at(-1)?.[0], 2)
    t.equal(world.requests.filter(({ offsets }) => offsets.includes(0)).length, 1)
  }
})

t.test('only the state of the first message is told', async (t) => {
  const world = new Simulation(([offset]) => offset === 0 ? { status: 204, ms: 2500 } : { status: 500, ms: 10 })
  await world.run(open('key', world, { ...ONE_BY_ONE, concurrency: 64 }), messagesOf(['a', 'b']))
  t.equal(world.states[0]?.offset, 1)
  t.ok((world.states[0]?.attempts ?? 0) > 1, 'told when it became the first')
})

t.test('messages wait for others to fill a request, as long as they may', async (t) => {
  const world = new Simulation(() => ({ status: 204, ms: 10 }))
  const delivery = open('none', world, { concurrency: 4, maxMessages: 20, maxWaitMs: 300 })
  await world.run(delivery, messagesOf(Array.from({ length: 45 }, () => undefined)))
  t.same(world.requests.map(({ offsets }) => offsets.length), [20, 20, 5])
  t.equal((world.requests[2]?.startedAt ?? 0) - (world.requests[0]?.startedAt ?? 0), 300)
})
