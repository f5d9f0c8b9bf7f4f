import t from 'tap'
import type { Broker } from '../../src/streams/index.ts'
import { batchOf, newStream, openBroker, streamOf } from '../support/streams.ts'
import { until } from '../support/until.ts'
import { exactly } from '../support/exactly.ts'

async function readAs (
  broker: Broker,
  stream: string,
  consumer: string,
  limit: number,
  store?: number
): Promise<number[]> {
  const request = { from: { type: 'first' }, limit, maxBytes: 1_000_000, waitMs: 0, store } as const
  const batch = await broker.consumers.read(stream, consumer, request, new AbortController().signal)
  batch.release()
  return batch.messages.map(({ offset }) => offset)
}

t.test('a consumer resumes after the offset that it stored, on every gateway', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 10)
  t.same(await readAs(broker, stream, 'c', 3), [0, 1, 2], 'without a stored offset: from the first')
  t.same(await readAs(broker, stream, 'c', 3), [0, 1, 2], 'reading alone moves nothing')
  t.same(await readAs(broker, stream, 'c', 3, 2), [3, 4, 5], 'an offset that is stored with the poll')
  t.same(await readAs(openBroker(t), stream, 'c', 3), [3, 4, 5])
})

t.test('a consumer that stores offset 0 with its poll gets message 1', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 3)
  t.same(await readAs(broker, stream, 'c', 1), [0])
  t.same(await readAs(broker, stream, 'c', 1, 0), [1])
  t.same(await readAs(broker, stream, 'c', 1, 1), [2])
  t.same(await readAs(broker, stream, 'c', 1, 2), [])
})

t.test('a stored offset reads back; one that goes back, is beyond the end or unexpected is refused', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 10)
  await t.rejects(broker.consumers.storedOffset(stream, 'c'), { code: 'consumer_offset_not_found' })
  t.same(await broker.consumers.storeOffset(stream, 'c', 5), { storedOffset: 5n, nextOffset: 6n })
  const described = { storedOffset: 5n, nextOffset: 6n, firstOffset: 0, lastOffset: 9, lag: 4n }
  t.match(await broker.consumers.storedOffset(stream, 'c'), described)
  await t.rejects(broker.consumers.storeOffset(stream, 'c', 4), { code: 'offset_goes_back' })
  await t.rejects(broker.consumers.storeOffset(stream, 'c', 1000), { code: 'offset_beyond_end' })
  await t.rejects(broker.consumers.storeOffset(stream, 'c', 6, 4), { code: 'expectation_failed' })
  await t.rejects(broker.consumers.storeOffset(stream, 'new', 6, 4), { code: 'expectation_failed' })
  await t.rejects(broker.consumers.storeOffset(stream, 'c', 6, null), { code: 'expectation_failed' })
  const asFirst = await broker.consumers.storeOffset(stream, 'first', 6, null)
  t.equal(asFirst.storedOffset, 6n, 'the first store can be an expected one too')
  t.equal((await broker.consumers.storeOffset(stream, 'c', 5)).storedOffset, 5n, 'the same offset again is fine')
  t.equal((await broker.consumers.storeOffset(stream, 'c', 6, 5)).storedOffset, 6n)
  t.equal((await broker.consumers.storedOffset(stream, 'c')).storedOffset, 6n)
})

t.test('the lag of a consumer that has stored all offsets is 0, though every store takes an offset', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 10)
  for (let offset = 0; offset < 10; offset++) await broker.consumers.storeOffset(stream, 'c', offset)
  t.equal((await broker.consumers.storedOffset(stream, 'c')).lag, 0n)
  const { consumers, sources } = await broker.consumers.list(stream)
  t.match(consumers, exactly({ name: 'c', storedOffset: 9n, nextOffset: 10n, lag: 0n, subscriptions: exactly() }))
  t.same(sources, { management: 'ok', instance: 'ok' })
})

t.test('a reset makes any position the next one', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 10)
  await broker.consumers.storeOffset(stream, 'c', 7)
  const next = async (to: Parameters<Broker['consumers']['resetOffset']>[2]): Promise<number | undefined> => {
    await broker.consumers.resetOffset(stream, 'c', to)
    return (await readAs(broker, stream, 'c', 1))[0]
  }
  t.equal(await next({ type: 'first' }), 0)
  t.equal(await next({ type: 'last' }), 9)
  t.equal(await next({ type: 'next' }), undefined)
  t.equal(await next({ type: 'offset', offset: 5 }), 5)
  t.equal(await next({ type: 'timestamp', timestamp: Date.now() - 3_600_000 }), 0)
  t.equal(await next({ type: 'timestamp', timestamp: Date.now() + 3_600_000 }), undefined)
  const beyond = broker.consumers.resetOffset(stream, 'c', { type: 'offset', offset: 1000 })
  await t.rejects(beyond, { code: 'offset_beyond_end' })
})

t.test('a waiting read is answered at once when its consumer is reset, and otherwise in its own time', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 10)
  const held = async (store: number, waitMs: number): Promise<number[]> => {
    const request = { from: { type: 'first' }, limit: 3, maxBytes: 1_000_000, waitMs, store } as const
    const batch = await broker.consumers.read(stream, 'c', request, new AbortController().signal)
    batch.release()
    return batch.messages.map(({ offset }) => offset)
  }
  await broker.consumers.resetOffset(stream, 'c', { type: 'first' })
  const isStored = async (): Promise<boolean> => (await broker.consumers.storedOffset(stream, 'c')).storedOffset === 9n
  const startMs = performance.now()
  const first = held(9, 60_000)
  await until('the read is held', isStored)
  await broker.consumers.resetOffset(stream, 'c', { type: 'offset', offset: 4 })
  t.same(await first, [4, 5, 6])
  t.ok(performance.now() - startMs < 4500, 'before it would have looked by itself')

  const second = held(9, 60_000)
  await until('the read is held again', isStored)
  await broker.consumers.resetOffset(stream, 'other', { type: 'first' })
  await broker.publishing.publish(stream, batchOf(['new']))
  t.equal((await second).length, 1, 'another consumer does not matter')
  const lastOffset = (await broker.consumers.storedOffset(stream, 'c')).lastOffset ?? 0

  const emptyMs = performance.now()
  t.same(await held(lastOffset, 6000), [], 'longer than one look at the offset')
  const ms = performance.now() - emptyMs
  t.ok(ms >= 5900 && ms < 9000, `held for ${Math.round(ms)} ms`)
})

t.test('a waiting read from `next` misses nothing, however often it looks for a reset', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 3)
  const request = { from: { type: 'next' }, limit: 10, maxBytes: 1_000_000, waitMs: 20_000 } as const
  const held = broker.consumers.read(stream, 'nobody', request, new AbortController().signal)
  await new Promise((resolve) => setTimeout(resolve, 5500)) // beyond the first look
  await broker.publishing.publish(stream, batchOf(['new']))
  const batch = await held
  t.same(batch.messages.map(({ offset }) => offset), [4], 'behind the record of the place')
  batch.release()
})

t.test('names of 255 bytes work; longer and odd names are refused before the broker sees them', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 1)
  const longest = 'ä'.repeat(127) + 'x'
  await broker.consumers.storeOffset(stream, longest, 0)
  t.equal((await broker.consumers.storedOffset(stream, longest)).storedOffset, 1n)
  for (const name of ['', 'ä'.repeat(128), 'a\nb', 'a\u0000', '\ud800']) {
    await t.rejects(broker.consumers.storeOffset(stream, name, 0), { code: 'invalid_argument' })
  }
})

t.test('offsets of a stream that does not exist are refused, and the answer says so', async (t) => {
  const broker = openBroker(t)
  await t.rejects(broker.consumers.storedOffset('no-such-stream', 'c'), { code: 'stream_not_found' })
  await t.rejects(broker.consumers.storeOffset('no-such-stream', 'c', 0), { code: 'stream_not_found' })
  await t.rejects(broker.consumers.list('no-such-stream'), { code: 'stream_not_found' })
})

t.test('without the management API the list has the consumers of this process, and says it is partial', async (t) => {
  const broker = openBroker(t, { management: undefined })
  const stream = await streamOf(t, broker, 3)
  await broker.consumers.storeOffset(stream, 'seen', 1)
  const partial = {
    consumers: exactly({ name: 'seen', storedOffset: 1n, lag: 1n }),
    sources: { management: 'not_configured' }
  }
  t.match(await broker.consumers.list(stream), partial)
  await t.rejects(broker.streams.list({ limit: 10 }), { code: 'management_not_configured' })
})

t.test('a management API that does not answer makes the list a partial one, not an error', async (t) => {
  const broker = openBroker(t, { management: { url: 'http://127.0.0.1:1', username: 'guest', password: 'guest' } })
  const stream = await streamOf(t, broker, 3)
  await broker.consumers.storeOffset(stream, 'seen', 1)
  const partial = { consumers: exactly({ name: 'seen' }), sources: { management: 'failed' } }
  t.match(await broker.consumers.list(stream), partial)
  await t.rejects(broker.streams.list({ limit: 10 }), { code: 'management_unavailable' })
})

t.test('streams are listed by their names in the API', async (t) => {
  const broker = openBroker(t, { streamNamePattern: 'shop_{name}_v1' })
  const stream = await newStream(t, broker)
  t.ok((await broker.streams.list({ limit: 1000, prefix: stream })).streams.includes(stream))
  t.ok((await openBroker(t).streams.list({ limit: 1000, prefix: 'shop_' })).streams.includes(`shop_${stream}_v1`))
})
