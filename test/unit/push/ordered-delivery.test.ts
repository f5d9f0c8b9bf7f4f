import t, { type Test } from 'tap'
import type { RetryState } from '../../../src/push/delivery/ordered-delivery.ts'
import { offsets, POLICY, STATUS_OK, World } from './world.ts'

async function deliver (world: World, count: number, retry?: RetryState) {
  return await world.delivery(retry).deliver(offsets(0, count), new AbortController().signal)
}

t.test('one poison message in a batch of 128 costs 7 halvings and its own tries', async (t) => {
  const world = new World((sent) => sent.includes(77) ? 422 : STATUS_OK)
  t.equal(await deliver(world, 128), undefined)
  t.same(world.errors.map(({ offset, attempts }) => [offset, attempts]), [[77, POLICY.messageAttempts]])
  const delivered = world.requests.filter((sent) => !sent.includes(77)).flat()
  const others = offsets(0, 128).map(({ offset }) => offset).filter((offset) => offset !== 77)
  t.same(delivered, others, 'each once, in order')
  t.equal(world.requests.filter((sent) => sent.length > 1 && sent.includes(77)).length, 7)
  t.same(world.settled.at(-1), [127, 'delivered'])
})

t.test('an endpoint that is away is asked with the first message alone', async (t) => {
  const world = new World((_, call) => call <= 20 ? 503 : STATUS_OK, { maxOutageMs: Infinity })
  t.equal(await deliver(world, 10), undefined)
  t.same(world.errors, [])
  t.same(world.requests.slice(1, 21), Array.from({ length: 20 }, () => [0]))
  t.same(world.requests.slice(21), [[1, 2, 3, 4, 5, 6, 7, 8, 9]])
})

t.test('after maxOutage the subscription pauses and the message is kept', async (t) => {
  const world = new World(() => 502)
  t.equal(await deliver(world, 2), 'outage')
  t.same(world.settled, [])
  t.same(world.errors, [])
  t.ok(world.nowMs - 1_000_000 >= POLICY.maxOutageMs)
})

t.test('410 pauses at once', async (t) => {
  const world = new World(() => 410)
  t.equal(await deliver(world, 3), 'gone')
  t.equal(world.requests.length, 1)
})

t.test('a message that the endpoint wants never again is tried once', async (t) => {
  const world = new World((sent) => sent[0] === 0 ? { status: 500, isFinal: true } : STATUS_OK)
  t.equal(await deliver(world, 1), undefined)
  t.same(world.errors.map(({ attempts }) => attempts), [1])
})

t.test('an endpoint that fails every message pauses the subscription', async (t) => {
  const world = new World(() => 500)
  t.equal(await deliver(world, 100), 'too_many_failures')
  t.equal(world.errors.length, POLICY.maxConsecutiveFailures)
  t.same(world.settled.map(([offset]) => offset), [0, 1, 2, 3])
})

t.test('what the endpoint says it has processed is not sent again, also in an answer that fails', async (t) => {
  const world = new World((_, call) => call === 1 ? { status: 500, processed: 4 } : STATUS_OK)
  t.equal(await deliver(world, 8), undefined)
  t.same(world.requests, [[0, 1, 2, 3, 4, 5, 6, 7], [5, 6], [7]])
  const part = new World((_, call) => call === 1 ? { status: 200, processed: 2 } : STATUS_OK)
  t.equal(await deliver(part, 5), undefined)
  t.same(part.requests, [[0, 1, 2, 3, 4], [3, 4]])
})

t.test('tries, their number and the schedule survive a takeover', async (t) => {
  const before: RetryState = {
    offset: 0,
    attempts: 4,
    counted: 4,
    failure: 'ambiguous',
    status: 500,
    error: '500',
    firstFailedAt: 900_000,
    failedAt: 990_000,
    nextAttemptAt: 1_030_000
  }
  const world = new World(() => 500)
  t.equal(await deliver(world, 1, before), undefined)
  t.same(world.attempts, [5])
  t.ok(world.nowMs >= before.nextAttemptAt)
  t.match(world.errors[0], { attempts: 5, firstFailedAt: before.firstFailedAt })
  const other = new World(() => STATUS_OK)
  await deliver(other, 1, { ...before, offset: 7 })
  t.same(other.attempts, [1], 'the record of another message is void')
})

t.test('a delivery that is given up ends with the reason, and settles nothing', async (t: Test) => {
  const aborter = new AbortController()
  const world = new World(() => {
    aborter.abort(new Error('handed over'))
    return 500
  })
  await t.rejects(world.delivery().deliver(offsets(0, 3), aborter.signal), { message: 'handed over' })
  t.same(world.settled, [])
})

t.test('an answer that came before the delivery was given up counts', async (t: Test) => {
  const aborter = new AbortController()
  const world = new World((_, call) => {
    if (call === 1) return STATUS_OK
    aborter.abort(new Error('handed over'))
    return 503
  })
  const delivery = world.delivery()
  t.equal(await delivery.deliver(offsets(0, 1), aborter.signal), undefined)
  await t.rejects(delivery.deliver(offsets(1, 2), aborter.signal), { message: 'handed over' })
  t.same(world.settled, [[0, 'delivered']])
})

t.test('an endpoint that says it has processed nothing is not asked again at once', async (t) => {
  const world = new World((_, call) => call < 3 ? { status: 200, processed: 0 } : STATUS_OK)
  const delivery = world.delivery()
  const [, ...later] = offsets(0, 2)
  t.equal(await delivery.try(later, new AbortController().signal), 'later')
  t.match(delivery.retry, { offset: 1, failure: 'ambiguous', attempts: 1 })
  t.ok((delivery.retry?.nextAttemptAt ?? 0) > world.nowMs)
})

t.test('a message that is skipped is not sent again', async (t) => {
  const world = new World((sent) => sent.includes(1) ? 503 : STATUS_OK)
  const delivery = world.delivery()
  const { signal } = new AbortController()
  t.equal(await delivery.try(offsets(1, 3), signal), 'later')
  delivery.skip(0)
  t.equal(await delivery.try(offsets(1, 3), signal), 'later', 'it does not stand there')
  delivery.skip(1)
  t.equal(await delivery.try(offsets(1, 3), signal), undefined)
  t.same(world.errors.map(({ offset, failure }) => [offset, failure]), [[1, 'endpoint']])
  t.same(world.settled, [[1, 'error'], [2, 'delivered']])
  delivery.skip(3)
  t.equal(await delivery.try(offsets(3, 4), signal), undefined)
  t.match(world.errors[1], { offset: 3, attempts: 0, error: 'skipped by an operator' })
})

t.test('a message that cannot be written into the error stream is not sent again', async (t) => {
  let isWritable = false
  const world = new World((sent) => sent.includes(0) ? 400 : STATUS_OK, { messageAttempts: 1 })
  const delivery = world.delivery(undefined, () => isWritable)
  await t.rejects(delivery.deliver(offsets(0, 2), new AbortController().signal), { message: 'not writable' })
  isWritable = true
  t.equal(await delivery.deliver(offsets(0, 2), new AbortController().signal), undefined)
  t.same(world.requests, [[0, 1], [0], [1]])
  t.same(world.errors.map(({ offset }) => offset), [0])
})
