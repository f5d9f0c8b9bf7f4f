import { getEventListeners } from 'node:events'
import t from 'tap'
import { batchOf, newStream, numbered, openBroker, readAll } from '../support/streams.ts'
import { MessageBatch } from '../../src/streams/index.ts'
import { exactly } from '../support/exactly.ts'

t.test('what is confirmed can be read, in the order of the request', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  const bodies = numbered(5000)
  t.same(await broker.publishing.publish(stream, batchOf(bodies)), { confirmed: 5000, duplicates: 0, failures: [] })
  t.same(await readAll(broker, stream), bodies)
})

t.test('concurrent requests each get their own count, and lose nothing', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  const requests = Array.from({ length: 200 }, (_, index) => numbered(index % 7 + 1, index * 10))
  const results = await Promise.all(requests.map(async (bodies) => {
    return await broker.publishing.publish(stream, batchOf(bodies))
  }))
  t.same(results.map(({ confirmed }) => confirmed), requests.map(({ length }) => length))
  t.same((await readAll(broker, stream)).sort(), requests.flat().sort())
})

t.test('a batch larger than a frame is cut into frames by bytes', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  const bodies = Array.from({ length: 10 }, (_, index) => String(index).repeat(600_000))
  t.equal((await broker.publishing.publish(stream, batchOf(bodies))).confirmed, 10)
  t.ok((await readAll(broker, stream)).every((body, index) => body === bodies[index]))
})

t.test('a message that fits into no frame is refused, and the messages beside it are confirmed', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  const tooLarge = new MessageBatch()
  tooLarge.addData(Buffer.from('small'))
  tooLarge.addData(Buffer.alloc(1024 * 1024))
  const neighbour = broker.publishing.publish(stream, batchOf(['neighbour']))
  const refusal = { code: 'message_too_large', sideEffects: 'none', details: { index: 1 } }
  await t.rejects(broker.publishing.publish(stream, tooLarge), refusal)
  t.equal((await neighbour).confirmed, 1)
  t.same(await readAll(broker, stream), ['neighbour'])
  t.equal(broker.stats().connectionsLost, 0)
})

t.test('the largest message that fits is stored', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  await broker.publishing.publish(stream, batchOf(['first']))
  let limitBytes = 0
  try {
    await broker.publishing.publish(stream, batchOf(['x'.repeat(1024 * 1024)]))
  } catch (error) {
    if (error instanceof Error && 'details' in error) limitBytes = Number(Object(error.details).limitBytes)
  }
  t.ok(limitBytes > 1_000_000, 'the refusal names the limit')
  const body = 'y'.repeat(limitBytes - 8) // the data section's header takes 8 bytes
  t.equal((await broker.publishing.publish(stream, batchOf([body]))).confirmed, 1)
  t.same(await readAll(broker, stream), ['first', body])
})

t.test('publishing to a stream that does not exist is refused, and says so', async (t) => {
  const broker = openBroker(t)
  const publishing = broker.publishing.publish('no-such-stream', batchOf(['x']))
  await t.rejects(publishing, { code: 'stream_not_found', sideEffects: 'none' })
})

t.test('publishing ids make a repeated request a duplicate', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  const publish = async (first: number) => {
    return await broker.publishing.publish(stream, batchOf(numbered(10, first), first + 1), { publisher: 'p' })
  }
  t.same(await publish(0), { confirmed: 10, duplicates: 0, failures: [], lastPublishingId: 10n })
  t.same(await publish(0), { confirmed: 0, duplicates: 10, failures: [], lastPublishingId: 10n })
  t.same(await publish(5), { confirmed: 5, duplicates: 5, failures: [], lastPublishingId: 15n })
  t.same(await readAll(broker, stream), numbered(15))
  t.equal((await broker.publishing.describePublisher(stream, 'p')).lastPublishingId, 15n)
})

t.test('a first publishing id of 0 is stored, though the broker answers 0 for names it does not know', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  t.equal((await broker.publishing.publish(stream, batchOf(['zero'], 0), { publisher: 'p' })).confirmed, 1)
  await broker.publishing.publish(stream, batchOf(['zero', 'one'], 0), { publisher: 'p' })
  t.same(await readAll(broker, stream), ['zero', 'one'])
})

t.test('requests with one publisher name take turns; another gateway sees what they left', async (t) => {
  const broker = openBroker(t)
  const other = openBroker(t)
  const stream = await newStream(t, broker)
  const results = await Promise.all([1, 11, 21, 31].map(async (id) => {
    return await broker.publishing.publish(stream, batchOf(numbered(10, id), id), { publisher: 'p' })
  }))
  t.same(results.map(({ confirmed }) => confirmed), [10, 10, 10, 10])
  const again = await other.publishing.publish(stream, batchOf(numbered(20, 31), 31), { publisher: 'p' })
  t.same(again, { confirmed: 10, duplicates: 10, failures: [], lastPublishingId: 50n })
  t.same(await readAll(broker, stream), numbered(50, 1))
})

t.test('an unexpected last publishing id refuses the request', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  await broker.publishing.publish(stream, batchOf(numbered(3), 1), { publisher: 'p' })
  const publishExpecting = async (expectedLastPublishingId: bigint) => {
    return await broker.publishing.publish(stream, batchOf(['x'], 4), { publisher: 'p', expectedLastPublishingId })
  }
  await t.rejects(publishExpecting(2n), { code: 'expectation_failed', sideEffects: 'none' })
  t.equal((await publishExpecting(3n)).confirmed, 1)
})

t.test('what does not fit into the budget is refused at once, and fits again afterwards', async (t) => {
  const broker = openBroker(t, { publishBudgetBytes: 10_000 })
  const stream = await newStream(t, broker)
  const first = broker.publishing.publish(stream, batchOf(['x'.repeat(8000)]))
  const second = broker.publishing.publish(stream, batchOf(['y'.repeat(8000)]))
  await t.rejects(second, { code: 'overloaded', retryable: true, sideEffects: 'none' })
  t.equal((await first).confirmed, 1)
  t.equal((await broker.publishing.publish(stream, batchOf(['y'.repeat(8000)]))).confirmed, 1)
  t.equal(broker.stats().publishBudgetUsedBytes, 0)
})

t.test('a request in pieces gets one answer, with indices over the whole request', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  const session = broker.publishing.open(stream)
  await session.write(batchOf(numbered(3)))
  const tooLarge = new MessageBatch()
  tooLarge.addData(Buffer.alloc(2 * 1024 * 1024))
  await t.rejects(session.write(tooLarge), { code: 'message_too_large' })
  t.same(await session.finish(), { confirmed: 3, duplicates: 0, failures: [] })
})

t.test('many publishers share few connections, and the least recently used publishers are closed', async (t) => {
  const broker = openBroker(t, { maxPublishers: 20 })
  const stream = await newStream(t, broker)
  for (let index = 0; index < 60; index++) {
    await broker.publishing.publish(stream, batchOf(['x'], 1), { publisher: `publisher-${index}` })
  }
  t.equal((await readAll(broker, stream)).length, 60)
  t.ok(broker.stats().publishers <= 20)
  t.ok(broker.stats().connections <= 4, `${broker.stats().connections} connections`)
})

t.test('a draining broker takes no new messages and confirms those under way', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  const underWay = broker.publishing.publish(stream, batchOf(numbered(100)))
  broker.drain()
  t.throws(() => broker.publishing.open(stream), { code: 'draining', sideEffects: 'none' })
  t.equal((await underWay).confirmed, 100)
})

t.test('requests leave no listener on a signal that outlives them', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  const { signal } = new AbortController()
  for (let id = 1; id <= 20; id++) {
    await broker.publishing.publish(stream, batchOf(['named'], id), { publisher: 'p', signal })
    await broker.publishing.publish(stream, batchOf(['unnamed']), { signal })
    const request = { from: { type: 'next' }, limit: 1, maxBytes: 1000, waitMs: 1 } as const
    const held = await broker.consumers.read(stream, 'c', request, signal)
    held.release()
  }
  t.same(getEventListeners(signal, 'abort'), [])
})

t.test('a caller that leaves before its messages are sent has published nothing and holds no memory', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  await broker.publishing.publish(stream, batchOf(['first']))
  const caller = new AbortController()
  const publishing = broker.publishing.publish(stream, batchOf(['late']), { signal: caller.signal })
  await Promise.resolve()
  caller.abort()
  const outcome = await publishing.catch((error: unknown) => ({ failures: [{ error }] }))
  t.match(outcome, { failures: exactly({ error: { code: 'caller_left', sideEffects: 'none' } }) })
  t.equal(broker.stats().publishBudgetUsedBytes, 0)
  t.same(await readAll(broker, stream), ['first'])
})
