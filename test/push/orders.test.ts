import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { hashOf, MessageBatch, type Broker } from '../../src/streams/index.ts'
import { startReceiver } from '../support/push-receiver.ts'
import { startTestWorker, subscriptionOf, workerShared, type DefinitionChanges } from '../support/push-worker.ts'
import { newStream, openBroker, readOnce } from '../support/streams.ts'
import { until } from '../support/until.ts'

const BY_KEY: DefinitionChanges = { ordering: 'key', orderingKey: 'applicationProperties.customer', concurrency: 16 }

/** A stream with this many messages, of as many customers in turn. The body is the number of the message. */
async function streamOfCustomers (t: Test, broker: Broker, count: number, customers: number): Promise<string> {
  const stream = await newStream(t, broker)
  t.teardown(async () => { await broker.streams.delete(`${stream}_errors`).catch(() => {}) })
  const batch = new MessageBatch()
  for (let index = 0; index < count; index++) {
    const customer = { type: 'string', value: String(index % customers) } as const
    batch.add({
      applicationProperties: [[{ type: 'string', value: 'customer' }, customer]],
      body: Buffer.from(String(index))
    })
  }
  await broker.publishing.publish(stream, batch)
  return stream
}

t.test('by key, each customer gets messages in order, and many get them at a time', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOfCustomers(t, broker, 600, 40)
  const receiver = await startReceiver(t)
  let most = 0
  receiver.react(async () => {
    most = Math.max(most, receiver.inFlight)
    await delay(5)
    return 204
  })
  const { seat } = await startTestWorker(t, workerShared(t, broker), subscriptionOf(stream, receiver.url, BY_KEY))
  await until('all is stored', () => seat.stores.at(-1) === 599)
  t.equal(receiver.deliveries.length, 600)
  for (let customer = 0; customer < 40; customer++) {
    const own = receiver.deliveries.map(({ offset }) => offset).filter((offset) => offset % 40 === customer)
    if (own.some((offset, index) => index > 0 && offset < (own[index - 1] ?? 0))) t.fail(`disorder of ${customer}`)
  }
  t.ok(most > 4, `${most} at a time`)
  t.ok(most <= 16)
})

t.test('by key, a customer whose endpoint fails waits alone', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOfCustomers(t, broker, 200, 20)
  const receiver = await startReceiver(t)
  receiver.react(({ offset }) => offset === 3 ? 500 : 204)
  const retry = { initialDelayMs: 5000, maxDelayMs: 5000, maxAttempts: 2 }
  const { seat } = await startTestWorker(t, workerShared(t, broker), subscriptionOf(stream, receiver.url, {
    ...BY_KEY, concurrency: 64, retry
  }))
  // Customers share lanes.
  const laneOf = (offset: number): number => hashOf(String(offset % 20)) % 64
  const others = Array.from({ length: 200 }, (_, offset) => offset).filter((offset) => laneOf(offset) !== laneOf(3))
  await until('the others', () => others.every((offset) => receiver.processed.includes(offset)))
  t.same(receiver.processed.filter((offset) => offset % 20 === 3), [], 'before the second try')
  t.ok((seat.stores.at(-1) ?? 0) <= 3, 'what is stored does not pass it')
  await until('all is stored', () => seat.stores.at(-1) === 199)
  t.same(receiver.processed.filter((offset) => offset % 20 === 3).length, 9)
  const entries = await readOnce(broker, `${stream}_errors`, { type: 'first' })
  t.same(entries.bodies, ['3'])
})

t.test('without an order all but the failing message pass, and a restart continues with it', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOfCustomers(t, broker, 300, 1)
  const receiver = await startReceiver(t)
  receiver.react(({ offset }) => offset === 10 ? 500 : 204)
  const subscription = subscriptionOf(stream, receiver.url, {
    ordering: 'none', concurrency: 8, retry: { initialDelayMs: 60_000, maxDelayMs: 60_000, maxAttempts: 9 }
  })
  const shared = workerShared(t, broker)
  const first = await startTestWorker(t, shared, subscription)
  await until('the others', () => receiver.processed.length === 299)
  await first.reported('it is tried again', ({ retry }) => retry?.offset === 10 && retry.attempts === 1)
  await first.worker.stop('settle', 5000)
  t.equal(first.seat.stores.at(-1), 9)
  receiver.react(204)
  const next = await startTestWorker(t, shared, subscription)
  await until('all is stored', () => next.seat.stores.at(-1) === 299)
  t.ok(receiver.processed.includes(10))
  t.same(receiver.processed.filter((offset) => offset < 10).length, 10, 'nothing before it comes again')
})

t.test('while the endpoint is away the first message is tried alone, and then all continue', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOfCustomers(t, broker, 100, 100)
  const receiver = await startReceiver(t)
  let most = 0
  let probes = 0
  receiver.react(({ offset }) => {
    if (receiver.deliveries.length <= 16) return { status: 503, delayMs: 20 }
    if (receiver.deliveries.length > 25) return 204
    most = Math.max(most, receiver.inFlight)
    if (offset === 0) probes++
    return 503
  })
  const { seat } = await startTestWorker(t, workerShared(t, broker), subscriptionOf(stream, receiver.url, BY_KEY))
  await until('all is stored', () => seat.stores.at(-1) === 99)
  t.equal(most, 1)
  t.ok(probes >= 8, `${probes} of 9 requests carried the first message`)
  t.equal(new Set(receiver.processed).size, 100)
})

t.test('by key, a request carries several messages, each customer in order', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOfCustomers(t, broker, 500, 10)
  const receiver = await startReceiver(t)
  const { seat } = await startTestWorker(t, workerShared(t, broker), subscriptionOf(stream, receiver.url, {
    ...BY_KEY, concurrency: 4, batch: { maxMessages: 50 }
  }))
  await until('all is stored', () => seat.stores.at(-1) === 499)
  const bodies = receiver.deliveries.flatMap(({ json }) => bodiesOf(json))
  t.equal(bodies.length, 500)
  t.ok(receiver.deliveries.length < 100, `${receiver.deliveries.length} requests`)
  for (let customer = 0; customer < 10; customer++) {
    const own = bodies.filter((body) => body % 10 === customer)
    t.same(own, [...own].sort((a, b) => a - b))
  }
})

t.test('when it is stopped, requests in flight come to their end, and what they settle is stored', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOfCustomers(t, broker, 50, 50)
  const receiver = await startReceiver(t)
  receiver.react({ status: 204, delayMs: 300 })
  const { worker, seat } = await startTestWorker(t, workerShared(t, broker), subscriptionOf(stream, receiver.url, {
    ordering: 'none', concurrency: 5
  }))
  await receiver.received(5)
  await worker.stop('settle', 5000)
  t.equal(receiver.deliveries.length, 5)
  t.equal(seat.stores.at(-1), 4)
})

function bodiesOf (json: unknown): number[] {
  if (typeof json !== 'object' || json === null || !('messages' in json) || !Array.isArray(json.messages)) return []
  return json.messages.map(({ body }: { body: unknown }) => Number(body))
}
