import t, { type Test } from 'tap'
import { failureOf } from '../../../src/push/delivery/failure.ts'
import {
  OrderedDelivery, type RetryPolicy, type RetryState
} from '../../../src/push/delivery/ordered-delivery.ts'
import type { Attempt } from '../../../src/push/endpoint/attempt.ts'

const POLICY: RetryPolicy = {
  initialDelayMs: 1000,
  maxDelayMs: 60_000,
  factor: 2,
  maxAttempts: 5,
  messageAttempts: 3,
  maxOutageMs: 100_000,
  maxConsecutiveFailures: 4,
  onFailure: 'errorStream'
}
const STATUS_OK = 204

/** An endpoint whose answer depends on what it is sent, and on how often it was called. */
type Endpoint = (offsets: readonly number[], call: number) => number | Partial<Attempt>

class World {
  readonly requests: number[][] = []
  readonly attempts: number[] = []
  readonly settled: Array<[number, string]> = []
  readonly errors: RetryState[] = []
  nowMs = 1_000_000
  readonly #endpoint: Endpoint
  readonly #policy: RetryPolicy

  constructor (endpoint: Endpoint, policy: Partial<RetryPolicy> = {}) {
    this.#endpoint = endpoint
    this.#policy = { ...POLICY, ...policy }
  }

  delivery (retry?: RetryState): OrderedDelivery<{ offset: number }> {
    return new OrderedDelivery<{ offset: number }>({
      post: async (messages, attempt) => {
        const offsets = messages.map(({ offset }) => offset)
        this.requests.push(offsets)
        this.attempts.push(attempt)
        return attemptOf(this.#endpoint(offsets, this.requests.length))
      },
      settled: (offset, how) => { this.settled.push([offset, how]) },
      toErrorStream: async (_message, state) => { this.errors.push(state) },
      failing: () => {},
      sleepUntil: async (at, signal) => {
        signal.throwIfAborted()
        this.nowMs = Math.max(this.nowMs, at)
      },
      now: () => this.nowMs
    }, this.#policy, retry)
  }
}

function attemptOf (answer: number | Partial<Attempt>): Attempt {
  const status = typeof answer === 'number' ? answer : answer.status
  return {
    failure: status === undefined ? undefined : failureOf(status),
    status,
    processed: undefined,
    isFinal: false,
    retryAfterMs: undefined,
    error: undefined,
    isRefused: false,
    ...(typeof answer === 'object' && answer)
  }
}

const offsets = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => ({ offset: from + index }))

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
    return STATUS_OK
  })
  await t.rejects(world.delivery().deliver(offsets(0, 3), aborter.signal), { message: 'handed over' })
  t.same(world.settled, [])
})
