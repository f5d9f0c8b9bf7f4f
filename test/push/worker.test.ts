import t from 'tap'
import { startReceiver } from '../support/push-receiver.ts'
import { startTestWorker, subscriptionOf, workerShared } from '../support/push-worker.ts'
import { batchOf, numbered, openBroker, streamOf } from '../support/streams.ts'
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
