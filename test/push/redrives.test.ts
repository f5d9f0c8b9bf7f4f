import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import type { RedriveRequest, Subscription } from '../../src/push/definitions/definitions.ts'
import { readEntry } from '../../src/push/errors/error-entry.ts'
import { bounded } from '../../src/push/redrive/bounded.ts'
import { startWorker } from '../../src/push/worker/worker.ts'
import type { WorkerShared } from '../../src/push/worker/worker-options.ts'
import { MessageBatch, type Broker } from '../../src/streams/index.ts'
import { exactly } from '../support/exactly.ts'
import { startReceiver, type PushReceiver } from '../support/push-receiver.ts'
import { openSeat } from '../support/push-seat.ts'
import { startTestWorker, subscriptionOf, workerShared, type DefinitionChanges } from '../support/push-worker.ts'
import { newStream, openBroker, readOnce } from '../support/streams.ts'
import { until } from '../support/until.ts'

// All three at once, however many chunks they come in.
const BATCH = { maxMessages: 3, maxWaitMs: 1000 }
const ALL = { from: 0, to: Number.MAX_SAFE_INTEGER, limit: null, class: null, status: null }
const STATUS: Readonly<Record<number, number>> = { 2: 422, 5: 500, 7: 422 }

interface World { broker: Broker, shared: WorkerShared, receiver: PushReceiver, subscription: Subscription }

/** A subscription of ten messages, of which three have failed for good: 2 and 7 with 422, 5 with 500. */
async function worldOf (t: Test, changes: DefinitionChanges = {}): Promise<World> {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  t.teardown(async () => { await broker.streams.delete(`${stream}_errors`).catch(() => {}) })
  const batch = new MessageBatch()
  for (let index = 0; index < 10; index++) {
    batch.add({ properties: { subject: `order ${index}` }, body: Buffer.from(`message ${index}`) })
  }
  await broker.publishing.publish(stream, batch)
  const receiver = await startReceiver(t)
  receiver.react(({ offset, json }) => {
    const failing = offsetsOf(json).find((shown) => STATUS[shown] !== undefined)
    return STATUS[failing ?? offset] ?? 204
  })
  const subscription = subscriptionOf(stream, receiver.url, { retry: { initialDelayMs: 1, maxDelayMs: 1 }, ...changes })
  const shared = workerShared(t, broker)
  const { worker, seat } = await startTestWorker(t, shared, subscription)
  await until('all is stored', () => seat.stores.at(-1) === 9)
  await worker.stop('settle', 5000)
  return { broker, shared, receiver, subscription }
}

/** Runs a redrive to its end. What it delivers is all that the receiver has then. */
async function redrive (t: Test, world: World, request: Partial<RedriveRequest>, stopAfter = Infinity) {
  const { shared, receiver, subscription, broker } = world
  const { key, definition: { errorStream } } = subscription
  const full = await bounded(broker.reading, errorStream, key, { ...ALL, ...request }, new AbortController().signal)
  const id = randomUUID()
  const at = Date.now()
  const redrives = [{ id, request: full, state: 'running' as const, at }]
  receiver.deliveries.length = 0
  for (;;) {
    const seat = await openSeat(t)
    let isDone = false
    const unit = { key, partition: '', redrive: id }
    const task = { unit, subscription: { ...subscription, redrives }, seat, retry: undefined, deliveryGeneration: 1 }
    const worker = startWorker(task, {
      report: () => {}, pause: () => {}, moved: () => {}, done: () => { isDone = true }
    }, shared)
    await until('the end', () => isDone || receiver.deliveries.length >= stopAfter)
    await worker.stop('settle', 5000)
    if (isDone) return id
    stopAfter = Infinity
  }
}

async function entriesOf ({ broker, subscription }: World) {
  const { messages } = await readOnce(broker, subscription.definition.errorStream, { type: 'first' })
  return messages.map(({ bytes }) => readEntry(bytes))
}

t.test('a redrive delivers the messages that have failed as they were, and ends', async (t) => {
  const world = await worldOf(t)
  const { receiver, subscription: { key } } = world
  const before = receiver.deliveries.filter(({ offset }) => offset === 5)
  receiver.react(204)
  await redrive(t, world, {})
  t.same(receiver.deliveries.map(({ offset }) => offset), [2, 5, 7])
  t.same(receiver.deliveries.map(({ attempt }) => attempt), [1, 1, 1])
  const [, again] = receiver.deliveries
  t.same(again?.json, before[0]?.json)
  for (const name of ['webhook-id', 'stream-name', 'stream-offset', 'stream-timestamp']) {
    t.equal(again?.headers[name], before[0]?.headers[name], name)
  }
  t.equal(again?.headers['stream-name'], key.stream)
  t.equal((await entriesOf(world)).length, 3, 'nothing is added, and nothing removed')
})

t.test('only what is asked for is delivered again', async (t) => {
  const world = await worldOf(t)
  const { receiver, broker, subscription: { key, definition: { errorStream } } } = world
  receiver.react(204)
  await redrive(t, world, { class: 'message' })
  t.same(receiver.deliveries.map(({ offset }) => offset), [2, 7])
  await redrive(t, world, { status: 500 })
  t.same(receiver.deliveries.map(({ offset }) => offset), [5])
  await redrive(t, world, { from: 1, to: 1 })
  t.same(receiver.deliveries.map(({ offset }) => offset), [5])
  const { signal } = new AbortController()
  const request = { ...ALL, to: 2, limit: 2 }
  t.same(await bounded(broker.reading, errorStream, key, request, signal), { ...request, to: 1 })
  const ofClass = { ...request, class: 'message' as const }
  t.same(await bounded(broker.reading, errorStream, key, ofClass, signal), { ...ofClass, to: 2 })
  const other = { ...key, subscription: 'other' }
  t.same(await bounded(broker.reading, errorStream, other, request, signal), request)
  const beyond = bounded(broker.reading, errorStream, key, { ...request, from: 3, to: 99 }, signal)
  await t.rejects(beyond, { code: 'offset_beyond_end' })
})

t.test('what fails again is written again, once, with the redrive that it comes from', async (t) => {
  const world = await worldOf(t)
  const { receiver } = world
  receiver.react(({ offset }) => offset === 5 ? 422 : 204)
  const id = await redrive(t, world, {})
  const entries = await entriesOf(world)
  t.equal(entries.length, 4)
  t.match(entries[3], { redrive: id, failure: 'message', status: 422, origin: { offset: 5 } })
  t.same(entries[3]?.original, entries[1]?.original)
  receiver.react(204)
  await redrive(t, world, { from: 3 })
  t.same(receiver.deliveries.map(({ offset }) => offset), [5], 'and can be delivered from there')
})

t.test('a redrive that is taken over continues where it was', async (t) => {
  const world = await worldOf(t)
  world.receiver.react({ status: 204, delayMs: 100 })
  await redrive(t, world, {}, 2)
  t.same(world.receiver.deliveries.map(({ offset }) => offset), [2, 5, 7])
})

t.test('a redrive delivers in batches and without an order, as its subscription does', async (t) => {
  const batched = await worldOf(t, { batch: BATCH })
  batched.receiver.react(204)
  await redrive(t, batched, {})
  t.match(batched.receiver.deliveries.map(({ json }) => json), exactly({ nextOffset: 8 }))
  const unordered = await worldOf(t, { ordering: 'none', concurrency: 4 })
  unordered.receiver.react(204)
  await redrive(t, unordered, {})
  t.same(unordered.receiver.deliveries.map(({ offset }) => offset).sort(), [2, 5, 7])
})

t.test('what the endpoint says it has processed is named by the offsets that it sees', async (t) => {
  const world = await worldOf(t, { batch: BATCH })
  const { receiver } = world
  receiver.react(() => receiver.deliveries.length === 1
    ? { status: 500, headers: { 'webhook-processed': '5' } }
    : 204)
  await redrive(t, world, {})
  t.same(receiver.deliveries.map(({ offset }) => offset), [2, 7])
})

function offsetsOf (json: unknown): number[] {
  if (typeof json !== 'object' || json === null || !('messages' in json) || !Array.isArray(json.messages)) return []
  return json.messages.map(({ offset }: { offset: unknown }) => Number(offset))
}
