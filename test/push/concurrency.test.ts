import t from 'tap'
import { MessageBatch } from '../../src/streams/index.ts'
import { startReceiver } from '../support/push-receiver.ts'
import { startTestWorker, subscriptionOf, workerShared } from '../support/push-worker.ts'
import { newStream, numbered, openBroker, readAll, streamOf } from '../support/streams.ts'
import { until } from '../support/until.ts'

t.test('without an order several requests are in flight, and the place is that of the first one', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 200)
  const receiver = await startReceiver(t)
  let most = 0
  let release = (): void => {}
  const held = new Promise<void>((resolve) => { release = resolve })
  receiver.react(async ({ offset }) => {
    most = Math.max(most, receiver.inFlight)
    if (offset === 3) await held
    return 204
  })
  const subscription = subscriptionOf(stream, receiver.url, { ordering: 'none', concurrency: 8, timeoutMs: 60_000 })
  const { seat, reported } = await startTestWorker(t, workerShared(t, broker), subscription)
  await receiver.received(200)
  t.ok(most > 1, `${most} at once`)
  await until('what is before the third is stored', () => seat.stores.at(-1) === 2)
  release()
  await until('everything is stored', () => seat.stores.at(-1) === 199)
  t.same(receiver.deliveries.map(({ offset }) => offset).sort((a, b) => a - b), numbered(200).map((_, at) => at))
  await reported('it is idle', ({ state, nextOffset }) => state === 'idle' && nextOffset === 200)
})

t.test('messages of a key are delivered in their order, and one that fails holds up its key alone', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  const batch = new MessageBatch()
  for (let n = 0; n < 60; n++) batch.add({ properties: { subject: `k${n % 6}` }, body: Buffer.from(String(n)) })
  await broker.publishing.publish(stream, batch)
  const receiver = await startReceiver(t)
  receiver.react(({ offset }) => offset === 6 ? 422 : 204)
  const subscription = subscriptionOf(stream, receiver.url, {
    ordering: 'key', orderingKey: 'properties.subject', concurrency: 4
  })
  const { seat } = await startTestWorker(t, workerShared(t, broker), subscription)
  await until('everything is stored', () => seat.stores.at(-1) === 59)
  for (let key = 0; key < 6; key++) {
    const offsets = receiver.processed.filter((offset) => offset % 6 === key)
    t.same(offsets, [...offsets].sort((a, b) => a - b), `key ${key}`)
  }
  t.equal(receiver.processed.length, 59)
  t.same(await readAll(broker, `${stream}_errors`), ['6'])
  await broker.streams.delete(`${stream}_errors`)
})

t.test('a stop lets requests in flight end, and the next worker repeats none that was stored', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 40)
  const receiver = await startReceiver(t)
  receiver.react({ status: 204, delayMs: 50 })
  const subscription = subscriptionOf(stream, receiver.url, { ordering: 'none', concurrency: 4 })
  const shared = workerShared(t, broker)
  const first = await startTestWorker(t, shared, subscription)
  await receiver.received(10)
  await first.worker.stop('settle', 5000)
  const { length } = receiver.deliveries
  t.equal(receiver.inFlight, 0)
  const second = await startTestWorker(t, shared, subscription)
  await until('everything is stored', () => second.seat.stores.at(-1) === 39)
  t.equal(new Set(receiver.processed).size, 40)
  t.ok(receiver.deliveries.length - 40 <= 4, `${length} before the stop, ${receiver.deliveries.length} at last`)
  t.equal(shared.memory.usedBytes, 0)
})
