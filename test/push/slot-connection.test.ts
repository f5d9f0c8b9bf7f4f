import t from 'tap'
import { startReceiver } from '../support/push-receiver.ts'
import { startTestWorker, subscriptionOf, workerShared } from '../support/push-worker.ts'
import { batchOf, newStream, numbered, openBroker } from '../support/streams.ts'
import { throughProxy } from '../support/through-proxy.ts'
import { uniqueName } from '../support/broker.ts'
import { until } from '../support/until.ts'
import { deleteSlotsAfter, Instance, SharedSlotLog, SLOTS } from './instance.ts'

t.test('without its slot connection an owner sends nothing, and the next one continues', async (t) => {
  const prefix = uniqueName('push')
  deleteSlotsAfter(t, prefix)
  const broker = openBroker(t)
  const lockStream = await newStream(t, broker)
  const stream = await newStream(t, broker)
  const options = { prefix, lockStream, log: new SharedSlotLog() }
  const receiver = await startReceiver(t)
  const subscription = subscriptionOf(stream, receiver.url)
  const shared = workerShared(t, broker)
  const publish = async (body: string): Promise<void> => {
    await broker.publishing.publish(stream, batchOf([body]))
  }
  const a = await Instance.start(t, 'a', options)
  await a.owns(SLOTS)
  const seatOfA = await until('a seat', () => a.seats.get(3))
  const first = await startTestWorker(t, shared, subscription, { seat: seatOfA })
  await publish('a')
  await receiver.received(1)
  await first.reported('it is idle', ({ state }) => state === 'idle')

  a.proxy.refuse()
  a.proxy.killConnections()
  await until('the seat is lost', () => seatOfA.lost.aborted)
  await publish('b')
  await first.worker.stop('abandon', 0)
  t.equal(receiver.deliveries.length, 1)
  const b = await Instance.start(t, 'b', options)
  await b.owns(SLOTS)
  const seatOfB = await until('a seat', () => b.seats.get(3))
  const task = { seat: seatOfB, reached: first.last?.nextOffset, deliveryGeneration: 2 }
  await startTestWorker(t, shared, subscription, task)
  await until('it is delivered', () => receiver.deliveries.some(({ json }) => JSON.stringify(json).includes('"b"')))
  t.equal(receiver.deliveries.at(-1)?.headers['delivery-generation'], '2')
  t.ok(receiver.deliveries.length <= 3, 'at most what was not stored is sent again')
})

t.test('without the connections of readers an owner keeps its seat, and continues without a repeat', async (t) => {
  const { proxy, broker, direct, stream } = await throughProxy(t)
  await direct.publishing.publish(stream, batchOf(numbered(300)))
  const receiver = await startReceiver(t)
  let cuts = 0
  receiver.react(({ offset }) => {
    // While the endpoint has the message.
    if (offset % 60 === 30) {
      cuts++
      proxy.killConnections()
    }
    return { status: 204, delayMs: 1 }
  })
  const shared = workerShared(t, broker)
  const { seat } = await startTestWorker(t, shared, subscriptionOf(stream, receiver.url))
  await until('all are delivered', () => receiver.processed.length >= 301)
  t.equal(cuts, 5)
  t.same(receiver.processed, [...new Set(receiver.processed)].sort((a, b) => a - b), 'each once, and in order')
  t.notOk(seat.lost.aborted)
  await until('the place is stored', () => (seat.stores.at(-1) ?? 0) >= 300)
})
