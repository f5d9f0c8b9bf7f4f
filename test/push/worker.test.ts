import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { MessageBatch } from '../../src/streams/index.ts'
import { startReceiver } from '../support/push-receiver.ts'
import { startTestWorker, subscriptionOf, workerShared } from '../support/push-worker.ts'
import { batchOf, newStream, numbered, openBroker, streamOf } from '../support/streams.ts'
import { until } from '../support/until.ts'

t.test('every message is delivered once and in order, and the place is stored', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 100)
  const receiver = await startReceiver(t)
  const { seat, reported } = await startTestWorker(t, workerShared(t, broker), subscriptionOf(stream, receiver.url))
  await receiver.received(100)
  t.same(receiver.deliveries.map(({ offset }) => offset), numbered(100).map((_, offset) => offset))
  t.ok(receiver.deliveries.every(({ attempt }) => attempt === 1))
  await until('the place is stored', () => seat.stores.at(-1) === 99)
  await reported('it is idle', ({ state, nextOffset }) => state === 'idle' && nextOffset === 100)
  await broker.publishing.publish(stream, batchOf(['one more']))
  await receiver.received(101)
  t.match(receiver.deliveries[100]?.json, { body: 'one more' })
})

t.test('an idle subscription stores its place once', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 3)
  const receiver = await startReceiver(t)
  const { seat } = await startTestWorker(t, workerShared(t, broker), subscriptionOf(stream, receiver.url))
  await until('the place is stored', () => seat.stores.at(-1) === 2)
  const { length } = seat.stores
  await delay(1200)
  t.equal(seat.stores.length, length, 'its own records in the stream are nothing to store again')
})

t.test('a worker begins where the one before it was stopped, and repeats nothing', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 3)
  const receiver = await startReceiver(t)
  receiver.react({ status: 204, delayMs: 200 })
  const subscription = subscriptionOf(stream, receiver.url)
  const shared = workerShared(t, broker)
  let reached: number | undefined
  for (const count of [1, 2, 3]) {
    const started = await startTestWorker(t, shared, subscription, { reached })
    await receiver.received(count)
    await started.worker.stop('settle', 5000)
    reached = started.last?.nextOffset
    t.equal(receiver.deliveries.length, count, 'the request in flight ends, and no new one begins')
  }
  t.same(receiver.processed, [0, 1, 2])
})

t.test('a request that takes too long at the stop is given up, and repeated by the next worker', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 1)
  const receiver = await startReceiver(t)
  receiver.react('hang')
  const subscription = subscriptionOf(stream, receiver.url, { timeoutMs: 60_000 })
  const shared = workerShared(t, broker)
  const first = await startTestWorker(t, shared, subscription)
  await receiver.received(1)
  await first.worker.stop('settle', 100)
  t.same(first.seat.stores, [])
  t.equal(shared.figures.inFlight, 0)
  receiver.react(204)
  await startTestWorker(t, shared, subscription)
  await receiver.received(2)
  const [one, two] = receiver.deliveries
  t.equal(one?.headers['webhook-id'], two?.headers['webhook-id'])
})

t.test('a worker that has lost its seat stores nothing and sends nothing', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 3)
  const receiver = await startReceiver(t)
  receiver.react({ status: 204, delayMs: 300 })
  const commit = { everyMs: 60_000, everyMessages: 1000 }
  const { worker, seat } =
    await startTestWorker(t, workerShared(t, broker), subscriptionOf(stream, receiver.url, { commit }))
  await receiver.received(2)
  seat.lose()
  await worker.stop('abandon', 0)
  const { length } = receiver.deliveries
  await delay(400)
  t.equal(receiver.deliveries.length, length)
  t.same(seat.stores, [])
})

t.test('nothing is sent while it is not certain that the seat is held', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  const receiver = await startReceiver(t)
  const { seat, reported } = await startTestWorker(t, workerShared(t, broker), subscriptionOf(stream, receiver.url))
  await reported('it is idle', ({ state }) => state === 'idle')
  seat.isCertain = false
  await broker.publishing.publish(stream, batchOf(['later']))
  await delay(300)
  t.same(receiver.deliveries, [])
  seat.isCertain = true
  await receiver.received(1)
})

t.test('the start counts only while nothing is stored, and is stored itself', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 10)
  const receiver = await startReceiver(t)
  const subscription = subscriptionOf(stream, receiver.url, { start: 'next' })
  const shared = workerShared(t, broker)
  const first = await startTestWorker(t, shared, subscription)
  await until('the start is stored', () => first.seat.stores.at(-1) === 9)
  await first.worker.stop('settle', 1000)
  await broker.publishing.publish(stream, batchOf(['after the start']))
  await startTestWorker(t, shared, subscription)
  await receiver.received(1)
  t.match(receiver.deliveries[0]?.json, { body: 'after the start' })
  const last = subscriptionOf(stream, receiver.url, { start: { offset: 8 } })
  await startTestWorker(t, shared, last)
  await receiver.received(2)
  t.match(receiver.deliveries[1], { offset: 8 })
})

t.test('a reset by another program is noticed before anything is stored over it', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 10)
  const receiver = await startReceiver(t)
  const subscription = subscriptionOf(stream, receiver.url)
  const { seat, moves } = await startTestWorker(t, workerShared(t, broker), subscription)
  await until('the place is stored', () => seat.stores.at(-1) === 9)
  const { consumer } = subscription.definition
  await broker.consumers.resetOffset(stream, consumer, { type: 'offset', offset: 4 })
  await broker.publishing.publish(stream, batchOf(['next']))
  await until('it is told', () => moves.length > 0)
  t.same(moves, [4])
  t.equal((await broker.consumers.storedOffset(stream, consumer)).nextOffset, 4n)
})

t.test('what retention has removed is a gap, which is counted', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker, { maxLengthBytes: 20_000, maxSegmentSizeBytes: 10_000 })
  const receiver = await startReceiver(t)
  const subscription = subscriptionOf(stream, receiver.url)
  await broker.publishing.publish(stream, batchOf(['first']))
  const first = await startTestWorker(t, workerShared(t, broker), subscription)
  await receiver.received(1)
  await first.worker.stop('settle', 1000)
  const { nextOffset } = await broker.consumers.storedOffset(stream, subscription.definition.consumer)
  const firstOffset = async (): Promise<number> => Number((await broker.streams.describe(stream)).firstOffset)
  await until('the first segments are gone', async () => {
    await broker.publishing.publish(stream, batchOf(Array.from({ length: 20 }, () => 'x'.repeat(500))))
    return await firstOffset() > nextOffset
  })
  const before = await firstOffset()
  // Another process: the reader of the first one may still have in memory what the broker has removed.
  const shared = workerShared(t, openBroker(t))
  const second = await startTestWorker(t, shared, subscription, { reached: Number(nextOffset) })
  await receiver.received(2)
  const { missed } = await second.reported('a gap', ({ missed }) => missed > 0)
  // The broker removes segments some time after the publish that filled them, perhaps while the worker begins.
  const left = Number(nextOffset) + missed
  t.ok(left >= before && left <= await firstOffset(), 'the gap ends where the stream began')
  // A segment may begin with a record of the broker itself.
  t.ok([left, left + 1].includes(receiver.deliveries[1]?.offset ?? -1), 'the first message that is left')
  t.equal(shared.figures.missed, missed)
})

t.test('a stream that is deleted and created anew is delivered from its start', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 20)
  const receiver = await startReceiver(t)
  const { seat, reported } = await startTestWorker(t, workerShared(t, broker), subscriptionOf(stream, receiver.url))
  await until('the place is stored', () => seat.stores.at(-1) === 19)
  const before = receiver.deliveries[0]?.headers['webhook-id']
  await broker.streams.delete(stream)
  await reported('it is blocked', ({ state }) => state === 'blocked')
  await broker.streams.create(stream, {})
  await broker.publishing.publish(stream, batchOf(['a new one']))
  const last = (await receiver.received(21)).at(-1)
  t.match(last, { offset: 0, attempt: 1, json: { body: 'a new one' } })
  t.not(last?.headers['webhook-id'], before)
})

t.test('a filter leaves messages out, and the place moves past them', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  const receiver = await startReceiver(t)
  const publish = async (body: string, filterValue: string): Promise<void> => {
    const batch = new MessageBatch()
    const value = { type: 'string', value: filterValue } as const
    batch.add({
      messageAnnotations: [[{ type: 'symbol', value: 'x-stream-filter-value' }, value]],
      body: Buffer.from(body)
    }, undefined, Buffer.from(filterValue))
    await broker.publishing.publish(stream, batch)
  }
  for (let n = 0; n < 5; n++) await publish(`eu ${n}`, 'eu')
  for (let n = 0; n < 5; n++) await publish(`us ${n}`, 'us')
  const filter = { filterValues: ['us'], matchUnfiltered: false }
  const { seat } = await startTestWorker(t, workerShared(t, broker), subscriptionOf(stream, receiver.url, { filter }))
  await receiver.received(5)
  t.same(receiver.deliveries.map(({ offset }) => offset), [5, 6, 7, 8, 9])
  await until('the place is stored', () => (seat.stores.at(-1) ?? 0) >= 9)
})

t.test('endpoints that hang hold little memory, and none of what other readers need', async (t) => {
  const budget = 4 * 1024 * 1024
  const broker = openBroker(t, { readBudgetBytes: budget, readerWindowBytes: 128 * 1024 })
  const stream = await newStream(t, broker)
  await broker.publishing.publish(stream, batchOf(Array.from({ length: 200 }, () => 'x'.repeat(20_000))))
  const receiver = await startReceiver(t)
  receiver.react('hang')
  const shared = workerShared(t, broker)
  const subscription = subscriptionOf(stream, receiver.url, { timeoutMs: 60_000 })
  const { consumer } = subscription.definition
  const workers = await Promise.all(Array.from({ length: 50 }, async (_, index) => {
    const definition = { ...subscription.definition, consumer: `${consumer}-${index}` }
    return await startTestWorker(t, shared, { ...subscription, definition })
  }))
  await receiver.received(50)
  t.ok(shared.memory.usedBytes < 50 * 100_000, `${shared.memory.usedBytes} bytes`)
  const { signal } = new AbortController()
  for (const offset of [0, 100, 199]) {
    const request = { from: { type: 'offset', offset }, limit: 10, maxBytes: 1_000_000, waitMs: 0 } as const
    const batch = await broker.reading.read(stream, request, signal)
    t.ok(batch.count > 0)
    batch.release()
  }
  await Promise.all(workers.map(async ({ worker }) => { await worker.stop('abandon', 0) }))
  t.equal(shared.memory.usedBytes, 0)
})
