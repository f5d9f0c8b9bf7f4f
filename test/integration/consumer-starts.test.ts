import t from 'tap'
import type { Broker, ReadBatch } from '../../src/streams/index.ts'
import { batchOf, newStream, numbered, openBroker, streamOf } from '../support/streams.ts'
import { until } from '../support/until.ts'

async function readAs (broker: Broker, stream: string, limit = 1): Promise<ReadBatch & { offsets: number[] }> {
  const request = { from: { type: 'first' }, limit, maxBytes: 1_000_000, waitMs: 0 } as const
  const batch = await broker.consumers.read(stream, 'c', request, new AbortController().signal)
  batch.release()
  return Object.assign(batch, { offsets: batch.messages.map(({ offset }) => offset) })
}

t.test('a consumer that takes one message at a time gets past message 0, and only as far as it stored', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 2)
  t.same((await readAs(broker, stream)).offsets, [0])
  t.same(await broker.consumers.storeOffset(stream, 'c', 0), { storedOffset: 0n, nextOffset: 1n })
  t.match(await broker.consumers.storedOffset(stream, 'c'), { storedOffset: 0n, nextOffset: 1n, lag: 1n })
  t.same((await readAs(broker, stream)).offsets, [1])
  await broker.consumers.storeOffset(stream, 'c', 1)
  t.same((await readAs(broker, stream)).offsets, [])
})

t.test('another gateway does not give message 0 again when there is no other', async (t) => {
  const [broker, other] = [openBroker(t), openBroker(t)]
  const stream = await streamOf(t, broker, 1)
  await broker.consumers.storeOffset(stream, 'c', 0)
  await other.consumers.storeOffset(stream, 'c', 0)
  for (const either of [broker, other, broker]) t.same((await readAs(either, stream)).offsets, [])
})

t.test('storing the same offset again takes no record in the stream', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 5)
  await broker.consumers.storeOffset(stream, 'c', 3)
  const { nextOffset } = await broker.streams.describe(stream)
  for (let times = 0; times < 3; times++) t.equal((await broker.consumers.storeOffset(stream, 'c', 3)).storedOffset, 3n)
  t.equal((await broker.streams.describe(stream)).nextOffset, nextOffset)
})

t.test('a reset to the beginning gives message 0 again, also to a consumer that has processed only that', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 1)
  await broker.consumers.storeOffset(stream, 'c', 0)
  t.same((await readAs(broker, stream)).offsets, [])
  t.same(await broker.consumers.resetOffset(stream, 'c', { type: 'first' }), { storedOffset: 0n, nextOffset: 0n })
  const described = await broker.consumers.storedOffset(stream, 'c')
  t.match(described, { nextOffset: 0n, lag: 1n }, 'it is behind by what it will get')
  t.same((await readAs(broker, stream)).offsets, [0])
})

t.test('a reset through another gateway gives message 0 again to a consumer that has passed it', async (t) => {
  const [broker, other] = [openBroker(t), openBroker(t)]
  const stream = await streamOf(t, broker, 3)
  await broker.consumers.storeOffset(stream, 'c', 0)
  await broker.consumers.storeOffset(stream, 'c', 1)
  await other.consumers.resetOffset(stream, 'c', { type: 'first' })
  t.same((await readAs(broker, stream)).offsets, [0])
})

t.test('a stream that is created anew has no consumer of the old stream', async (t) => {
  const [broker, other] = [openBroker(t), openBroker(t)]
  const stream = await streamOf(t, broker, 1)
  await broker.consumers.storeOffset(stream, 'c', 0)
  await broker.streams.delete(stream)
  await broker.streams.create(stream, {})
  await broker.publishing.publish(stream, batchOf(numbered(1)))
  await other.consumers.resetOffset(stream, 'c', { type: 'first' })
  t.same((await readAs(broker, stream)).offsets, [0])
})

t.test('a consumer that retention has overtaken is told what it has missed', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker, { maxLengthBytes: 100_000, maxSegmentSizeBytes: 50_000 })
  await broker.publishing.publish(stream, batchOf(['first', 'second']))
  await broker.consumers.storeOffset(stream, 'c', 1)
  await until('the broker has forgotten the offset together with the messages', async () => {
    await broker.publishing.publish(stream, batchOf(['x'.repeat(20_000)]))
    return await broker.consumers.storedOffset(stream, 'c').then(() => false, () => true)
  })
  const batch = await readAs(broker, stream)
  t.ok((batch.offsets[0] ?? 0) > 1)
  t.equal(batch.gap?.from, 0)
  t.ok((batch.gap?.to ?? 0) >= 1 && (batch.gap?.to ?? 0) < (batch.offsets[0] ?? 0))
})
