import t from 'tap'
import type { Broker } from '../../src/streams/index.ts'
import { batchOf, newStream, numbered, openBroker, readAll, readOnce, streamOf } from '../support/streams.ts'
import { until } from '../support/until.ts'
import { exactly } from '../support/exactly.ts'

const FIRST = { type: 'first' } as const
const LAST = { type: 'last' } as const
const NEXT = { type: 'next' } as const
const at = (offset: number) => ({ type: 'offset', offset } as const)
const since = (timestamp: number) => ({ type: 'timestamp', timestamp } as const)

/** Publishes each of these as a request, and so as a chunk, of its own. */
async function publishEach (broker: Broker, stream: string, bodies: readonly string[]): Promise<void> {
  for (const body of bodies) await broker.publishing.publish(stream, batchOf([body]))
}

t.test('an empty stream is empty at once, from everywhere', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  const empty = { bodies: exactly(), nextOffset: 0, endOfStream: true }
  for (const type of ['first', 'last', 'next'] as const) {
    t.match(await readOnce(broker, stream, { type }), { ...empty, gap: undefined }, type)
  }
  t.match(await readOnce(broker, stream, since(Date.now() - 1000)), empty)
})

t.test('polls that follow nextOffset miss nothing and repeat nothing, whatever their size', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  const bodies = numbered(3000)
  for (let from = 0; from < 3000; from += 250) {
    await broker.publishing.publish(stream, batchOf(bodies.slice(from, from + 250)))
  }
  for (const limit of [1, 7, 250, 999, 10_000]) {
    if (limit > 1) t.same(await readAll(broker, stream, 0, limit), bodies, `limit ${limit}`)
    else t.same(await readAll(broker, stream, 2900, limit), bodies.slice(2900), `limit ${limit}`)
  }
})

t.test('a batch is filled over chunk after chunk', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  await publishEach(broker, stream, numbered(50))
  const part = await readOnce(openBroker(t), stream, FIRST, { limit: 40 })
  t.match(part, { bodies: exactly(...numbered(40)), nextOffset: 40, endOfStream: false })
  const whole = await readOnce(broker, stream, FIRST, { limit: 50 })
  t.match(whole, { bodies: exactly(...numbered(50)), nextOffset: 50, endOfStream: true })
})

t.test('positions mean what they say', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 10)
  const between = (await readOnce(broker, stream, LAST)).messages[0]?.timestamp ?? 0
  while (Date.now() <= between + 2) await broker.status() // the next chunk has to have a later time
  await broker.publishing.publish(stream, batchOf(numbered(10, 10)))
  t.same((await readOnce(broker, stream, FIRST, { limit: 1 })).offsets, [0])
  t.same((await readOnce(broker, stream, LAST)).offsets, [19])
  t.match(await readOnce(broker, stream, NEXT), { offsets: exactly(), nextOffset: 20 })
  t.same((await readOnce(broker, stream, at(13), { limit: 2 })).offsets, [13, 14])
  t.same((await readOnce(broker, stream, since(between + 1), { limit: 1 })).offsets, [10])
  t.same((await readOnce(broker, stream, since(0), { limit: 1 })).offsets, [0])
  const future = await readOnce(broker, stream, since(Date.now() + 60_000))
  t.match(future, { offsets: exactly(), nextOffset: 20, endOfStream: true })
})

t.test('a read has at least one message, however large, and no more bytes than wanted', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  await broker.publishing.publish(stream, batchOf(Array.from({ length: 5 }, () => 'x'.repeat(1000))))
  t.equal((await readOnce(broker, stream, FIRST, { maxBytes: 1 })).bodies.length, 1)
  t.equal((await readOnce(broker, stream, FIRST, { maxBytes: 3100 })).bodies.length, 3)
})

t.test('a read from beyond the end is refused with the first and the last offset', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 5)
  const atEnd = await readOnce(broker, stream, at(5))
  t.match(atEnd, { bodies: exactly(), nextOffset: 5, endOfStream: true }, 'the end itself is not beyond it')
  const refusal = { code: 'offset_out_of_range', details: { firstOffset: 0, lastOffset: 4 } }
  await t.rejects(readOnce(broker, stream, at(6)), refusal)
})

t.test('a waiting poll answers as soon as there is a message', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  const waiting = readOnce(broker, stream, NEXT, { waitMs: 20_000 })
  await readOnce(broker, stream, NEXT) // by now the other read waits
  const startedMs = performance.now()
  await broker.publishing.publish(stream, batchOf(['wake']))
  t.match(await waiting, { bodies: exactly('wake'), endOfStream: true })
  t.ok(performance.now() - startedMs < 5000)
})

t.test('a waiting poll ends empty after its time', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  const startedMs = performance.now()
  const batch = await readOnce(broker, stream, NEXT, { waitMs: 300 })
  t.match(batch, { bodies: exactly(), nextOffset: 0, endOfStream: true })
  const tookMs = performance.now() - startedMs
  t.ok(tookMs >= 290 && tookMs < 5000, `${tookMs} ms`)
})

t.test('waiting polls at the end share one subscription', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  await readOnce(broker, stream, at(0))
  const waiting = Array.from({ length: 300 }, async () => await readOnce(broker, stream, at(0), { waitMs: 20_000 }))
  t.equal(broker.stats().readers, 1)
  await broker.publishing.publish(stream, batchOf(['for all']))
  t.ok((await Promise.all(waiting)).every(({ bodies }) => bodies[0] === 'for all'))
  t.equal(broker.stats().readers, 1)
})

t.test('a poll at the last nextOffset finds the warm reader', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 1000)
  await readAll(broker, stream, 0, 100)
  t.equal(broker.stats().readers, 1)
})

t.test('a confirmed message is in the next read, also of a warm reader at the end', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  for (let index = 0; index < 100; index++) {
    await broker.publishing.publish(stream, batchOf([`message ${index}`]))
    const batch = await readOnce(broker, stream, at(index))
    if (batch.bodies[0] !== `message ${index}`) t.fail(`message ${index} was not there`)
  }
  t.pass()
})

t.test('records of the broker between messages are not a gap', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  await broker.publishing.publish(stream, batchOf(['first', 'before']))
  for (let stores = 0; stores < 3; stores++) await broker.consumers.storeOffset(stream, `consumer-${stores}`, 0)
  await broker.publishing.publish(stream, batchOf(['after']))
  for (const from of [at(1), at(2), at(3)]) {
    const batch = await readOnce(openBroker(t), stream, from)
    t.equal(batch.bodies.at(-1), 'after')
    t.equal(batch.gap, undefined)
    t.equal(batch.nextOffset, 6)
  }
})

t.test('what retention took is reported as a gap', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker, { maxLengthBytes: 100_000, maxSegmentSizeBytes: 50_000 })
  await publishEach(broker, stream, Array.from({ length: 40 }, (_, index) => String(index).padStart(20_000, ' ')))
  await until('retention has removed something', async () => (await broker.streams.describe(stream)).firstOffset > 0)
  const batch = await readOnce(openBroker(t), stream, at(0), { limit: 1 })
  t.same(batch.gap, { from: 0, to: (batch.offsets[0] ?? 0) - 1 })
  t.equal(batch.bodies[0]?.trim(), String(batch.offsets[0]))
})

t.test('a single message is read by its offset, or the answer says that it is not there', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 3)
  await broker.consumers.storeOffset(stream, 'c', 1)
  const { message, batch } = await broker.reading.readMessage(stream, 2, new AbortController().signal)
  batch.release()
  t.equal(message.offset, 2)
  for (const offset of [3, 4, 1000]) {
    const reading = broker.reading.readMessage(stream, offset, new AbortController().signal)
    await t.rejects(reading, { code: 'message_not_found' }, `offset ${offset}`)
  }
})

t.test('a caller that leaves ends its poll and leaves nothing behind', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  await readOnce(broker, stream, at(0))
  for (let round = 0; round < 500; round++) {
    const caller = new AbortController()
    const polling = broker.reading.read(stream, { from: at(0), limit: 1, maxBytes: 1, waitMs: 60_000 }, caller.signal)
    caller.abort(new Error('gone'))
    await t.rejects(polling, { message: 'gone' })
  }
  await broker.publishing.publish(stream, batchOf(['still works']))
  t.same((await readOnce(broker, stream, at(0))).bodies, ['still works'])
})

t.test('draining answers waiting polls', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  const waiting = readOnce(broker, stream, NEXT, { waitMs: 60_000 })
  await readOnce(broker, stream, NEXT)
  broker.drain()
  t.match(await waiting, { bodies: exactly(), nextOffset: 0 })
})

t.test('memory comes back when answers are released, and over the budget reads are refused', async (t) => {
  const broker = openBroker(t, { readBudgetBytes: 2_000_000, readerWindowBytes: 500_000 })
  const stream = await newStream(t, broker)
  await publishEach(broker, stream, Array.from({ length: 10 }, () => 'x'.repeat(900_000)))
  const signal = new AbortController().signal
  const held = []
  let refusal: unknown
  for (let offset = 0; offset < 10 && refusal === undefined; offset++) {
    try {
      held.push(await broker.reading.read(stream, { from: at(offset), limit: 1, maxBytes: 1, waitMs: 0 }, signal))
    } catch (error) {
      refusal = error
    }
  }
  t.match(refusal, { code: 'overloaded', retryable: true })
  t.ok(held.length >= 1)
  for (const batch of held) batch.release()
  t.equal((await readOnce(broker, stream, at(9), { limit: 1 })).bodies.length, 1)
})

t.test('a deleted stream is not found, and a recreated stream starts anew', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 10)
  await readAll(broker, stream)
  const waiting = readOnce(broker, stream, at(10), { waitMs: 20_000 })
  await broker.streams.delete(stream)
  await t.rejects(waiting, { code: 'stream_not_found' })
  await t.rejects(readOnce(broker, stream, at(3)), { code: 'stream_not_found' })
  await broker.streams.create(stream, {})
  await broker.publishing.publish(stream, batchOf(['new']))
  t.same(await readAll(broker, stream), ['new'])
  await t.rejects(readOnce(broker, stream, at(10)), { code: 'offset_out_of_range' })
})

t.test('many streams use few connections', async (t) => {
  const broker = openBroker(t)
  for (let index = 0; index < 300; index++) {
    const stream = await newStream(t, broker)
    await broker.publishing.publish(stream, batchOf(['x']))
    t.equal((await readOnce(broker, stream, FIRST)).bodies.length, 1)
  }
  t.ok(broker.stats().connections <= 6, `${broker.stats().connections} connections`)
})
