import t, { type Test } from 'tap'
import { startReceiver } from '../support/push-receiver.ts'
import { openSeat } from '../support/push-seat.ts'
import { startTestWorker, subscriptionOf, workerShared, type TestWorker } from '../support/push-worker.ts'
import { batchOf, newStream, openBroker, readAll, streamOf } from '../support/streams.ts'
import { until } from '../support/until.ts'

// Nothing of what an owner has done since its last store is known to the next one.
const COMMIT = { everyMs: 60_000, everyMessages: 1000 }

/** The owner is gone from one moment to the next: it stores nothing, and its connections end. */
async function crash ({ worker, seat }: Pick<TestWorker, 'worker' | 'seat'>): Promise<void> {
  seat.lose()
  await worker.stop('abandon', 0)
}

t.test('an owner that is gone before a request leaves the message to the next one, which sends it once', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  const receiver = await startReceiver(t)
  const subscription = subscriptionOf(stream, receiver.url, { commit: COMMIT })
  const shared = workerShared(t, broker)
  const first = await startTestWorker(t, shared, subscription)
  await first.reported('it is idle', ({ state }) => state === 'idle')
  first.seat.isCertain = false
  await broker.publishing.publish(stream, batchOf(['a', 'b']))
  // It has the messages at hand, and waits until it may send.
  await until('it has them', () => shared.memory.usedBytes > 0)
  await crash(first)
  await startTestWorker(t, shared, subscription, { deliveryGeneration: 2 })
  await receiver.received(2)
  t.same(receiver.deliveries.map(({ offset, headers }) => [offset, headers['delivery-generation']]), [
    [0, '2'], [1, '2']
  ])
})

t.test('an owner that is gone while a request is in flight leaves it to the next one, with the same id', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 2)
  const receiver = await startReceiver(t)
  receiver.react('hang')
  const subscription = subscriptionOf(stream, receiver.url, { commit: COMMIT, timeoutMs: 60_000 })
  const shared = workerShared(t, broker)
  const first = await startTestWorker(t, shared, subscription)
  await receiver.received(1)
  await crash(first)
  await until('the request is given up', () => receiver.inFlight === 0)
  receiver.react(204)
  await startTestWorker(t, shared, subscription, { deliveryGeneration: 2 })
  await receiver.received(3)
  t.same(receiver.deliveries.map(({ offset }) => offset), [0, 0, 1])
  const [one, two] = receiver.deliveries
  t.equal(two?.headers['webhook-id'], one?.headers['webhook-id'])
  t.same([one, two].map((delivery) => delivery?.headers['delivery-generation']), ['1', '2'])
})

t.test('what was processed and not stored is delivered again by the next owner, in the same order', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 20)
  const receiver = await startReceiver(t)
  receiver.react(({ offset, headers }) => offset === 10 && headers['delivery-generation'] === '1' ? 'hang' : 204)
  const commit = { everyMs: 60_000, everyMessages: 4 }
  const subscription = subscriptionOf(stream, receiver.url, { commit, timeoutMs: 60_000 })
  const shared = workerShared(t, broker)
  const first = await startTestWorker(t, shared, subscription)
  await receiver.received(11)
  const stored = (await until('a part is stored', () => first.seat.stores.at(-1))) + 1
  await crash(first)
  const second = await startTestWorker(t, shared, subscription, { deliveryGeneration: 2 })
  await until('all are stored', () => second.seat.stores.at(-1) === 19)
  const again = receiver.deliveries.slice(11).map(({ offset }) => offset)
  t.same(again, Array.from({ length: 20 - stored }, (_, index) => stored + index), 'from the stored place on')
  t.ok(11 - stored <= 2 * commit.everyMessages + 1, `${11 - stored} are repeated`)
  const ids = new Set(receiver.deliveries.map(({ headers }) => headers['webhook-id']))
  t.equal(ids.size, 20)
})

async function crashAfterEntry (t: Test, ordering: 'stream' | 'key'): Promise<readonly string[]> {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 4)
  const receiver = await startReceiver(t)
  receiver.react(({ offset }) => offset === 1 ? 422 : 204)
  const subscription = subscriptionOf(stream, receiver.url, {
    commit: COMMIT,
    retry: { messageAttempts: 1 },
    ...ordering === 'key' && { ordering, orderingKey: 'properties.groupId' }
  })
  t.teardown(async () => { await broker.streams.delete(`${stream}_errors`).catch(() => {}) })
  const shared = workerShared(t, broker)
  const own = await openSeat(t)
  let isHeld = false
  // What it stores gets no further than its machine.
  const store = async (): Promise<void> => {
    isHeld = true
    await new Promise((_resolve, reject) => {
      own.lost.addEventListener('abort', () => { reject(own.lost.reason) })
    })
  }
  const { worker } = await startTestWorker(t, shared, subscription, { seat: { ...own, store } })
  await until('the entry is there, and the store is held', async () => {
    return isHeld && (await readAll(broker, `${stream}_errors`).catch(() => [])).length === 1
  })
  await crash({ worker, seat: own })
  const second = await startTestWorker(t, shared, subscription, { deliveryGeneration: 2 })
  await until('all are settled', () => second.last?.nextOffset === 4)
  t.equal(receiver.deliveries.filter(({ offset }) => offset === 1).length, 2, 'it is refused by the endpoint again')
  t.same([...new Set(receiver.processed)], [0, 2, 3], 'the others are delivered in their order')
  return await readAll(broker, `${stream}_errors`)
}

t.test('an owner that is gone between an error entry and its store costs no second entry', async (t) => {
  t.same(await crashAfterEntry(t, 'stream'), ['message 1'])
})

t.test('without the order of the stream the entry may be there twice, and is not lost', async (t) => {
  t.same([...new Set(await crashAfterEntry(t, 'key'))], ['message 1'])
})
