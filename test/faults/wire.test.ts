import t from 'tap'
import { gunzipSync, gzipSync } from 'node:zlib'
import type { Broker, ReadBatch } from '../../src/streams/index.ts'
import { batchOf, numbered } from '../support/streams.ts'
import { scriptedStream, type StreamScript } from '../support/scripted-stream.ts'
import { until } from '../support/until.ts'
import { encodeChunk, type EntryFields } from '../unit/protocol/encode-chunk.ts'
import { answerFrame } from '../unit/protocol/scripted-broker.ts'
import { exactly } from '../support/exactly.ts'

const chunkOf = (firstOffset: number, ...bodies: string[]): Buffer => {
  const entries = bodies.map((body) => ({ body: Buffer.from(body) }))
  return encodeChunk({ firstOffset: BigInt(firstOffset), entries })
}
const damaged = (chunk: Buffer): Buffer => {
  const copy = Buffer.from(chunk)
  copy.writeUInt8(copy.readUInt8(copy.length - 1) ^ 1, copy.length - 1)
  return copy
}

/** Delivers the same chunk to every subscription. */
const always = (chunk: Buffer): StreamScript => ({ subscribed: ({ deliver }) => { deliver(chunk) } })

/** Reads once, whatever the entries are, and gives the memory back. */
async function readEntries (
  broker: Broker,
  from: number,
  { limit = 100, maxBytes = 1024 * 1024, waitMs = 0 } = {}
): Promise<Pick<ReadBatch, 'messages' | 'nextOffset' | 'endOfStream' | 'gap'> & { offsets: number[] }> {
  const request = { from: { type: 'offset', offset: from }, limit, maxBytes, waitMs } as const
  const batch = await broker.reading.read('s', request, new AbortController().signal)
  const { messages, nextOffset, endOfStream, gap } = batch
  batch.release()
  return { messages, nextOffset, endOfStream, gap, offsets: messages.map(({ offset }) => offset) }
}

// Also when it comes right behind the answer to subscribe.
t.test('a chunk with a wrong checksum is never skipped', async (t) => {
  const { broker } = await scriptedStream(t, always(damaged(chunkOf(0, 'a', 'b'))))
  for (let tries = 0; tries < 3; tries++) {
    await t.rejects(readEntries(broker, 0), { code: 'broker_protocol_error', sideEffects: 'none' })
  }
  t.match(broker.stats(), { readers: 0, readBudgetUsedBytes: 0 })
})

t.test('what comes before a damaged chunk is answered, what comes after it is not', async (t) => {
  const { broker } = await scriptedStream(t, {
    committedChunkId: () => 4,
    subscribed: ({ offset, deliver }) => {
      const chunks = [chunkOf(0, 'a', 'b'), damaged(chunkOf(2, 'c', 'd')), chunkOf(4, 'e')]
      deliver(chunks[offset / 2] ?? chunkOf(6))
    },
    credited: ({ offset, deliver }) => {
      if (offset === 0) deliver(damaged(chunkOf(2, 'c', 'd')), chunkOf(4, 'e'))
    }
  })
  const { nextOffset, endOfStream, offsets } = await readEntries(broker, 0)
  t.match({ nextOffset, endOfStream, offsets }, { nextOffset: 2, endOfStream: false, offsets: exactly(0, 1) })
  await t.rejects(readEntries(broker, 2), { code: 'broker_protocol_error' })
  t.match(await readEntries(broker, 4), { offsets: exactly(4) }, 'a caller that skips it by hand reads on')
})

t.test('a poll that has stored an offset before it failed says that something was changed', async (t) => {
  let stored = 0n
  const { broker } = await scriptedStream(t, {
    subscribed: ({ deliver }) => { deliver(damaged(chunkOf(0, 'a', 'b', 'c'))) },
    answers: {
      storeOffset: ({ reader }) => {
        reader.string()
        reader.string()
        stored = reader.u64()
      },
      queryOffset: ({ correlationId, reply }) => {
        reply(answerFrame('queryOffset', correlationId, 1, (writer) => writer.u64(stored)))
      },
      streamStats: ({ correlationId, reply }) => {
        const stats = [
          ['first_chunk_id', 0n], ['last_chunk_id', 0n], ['committed_chunk_id', 0n], ['committed_offset', 2n]
        ] as const
        reply(answerFrame('streamStats', correlationId, 1, (writer) => {
          return writer.array(stats, (to, [name, value]) => to.string(name).i64(value))
        }))
      }
    }
  })
  const poll = async (store?: number) => {
    const request = { from: { type: 'first' }, limit: 1, maxBytes: 1, waitMs: 0, store } as const
    return await broker.consumers.read('s', 'c', request, new AbortController().signal)
  }
  await t.rejects(poll(1), { code: 'broker_protocol_error', sideEffects: 'possible' })
  t.equal(stored, 1n)
  await t.rejects(poll(), { code: 'broker_protocol_error', sideEffects: 'none' })
})

t.test('a batch that lies about its size takes no more of the budget than it has', async (t) => {
  const liar: EntryFields = {
    body: Buffer.concat([Buffer.from([0, 0, 0, 1]), Buffer.from('x')]),
    compression: 0,
    recordCount: 1,
    uncompressedLength: 0xffff_ffff
  }
  const { broker } = await scriptedStream(t, always(encodeChunk({ entries: [liar] })))
  const request = { from: { type: 'first' }, limit: 10, maxBytes: 1000, waitMs: 0 } as const
  const slow = await broker.reading.read('s', request, new AbortController().signal)
  t.equal(slow.messages.length, 1)
  t.ok(broker.stats().readBudgetUsedBytes < 10_000)
  t.same((await readEntries(broker, 0)).offsets, [0], 'others can read while the first answer is being sent')
  slow.release()
})

t.test('a batch of very many empty records costs what is charged for it', async (t) => {
  const records = 65_535
  const raw = Buffer.alloc(records * 4)
  const batch: EntryFields = {
    body: gzipSync(raw),
    compression: 1,
    recordCount: records,
    uncompressedLength: raw.length
  }
  const batches = 60
  const entries = new Array<EntryFields>(batches).fill(batch)
  const { broker } = await scriptedStream(t, always(encodeChunk({ entries })))
  const before = process.memoryUsage()
  const read: number[] = []
  for (let index = 0; index < batches; index++) {
    read.push(...(await readEntries(broker, index * records, { limit: 1 })).offsets)
  }
  const after = process.memoryUsage()
  const grown = after.heapUsed + after.external - before.heapUsed - before.external
  t.same(read, read.map((_, index) => index * records))
  t.equal(read.length, batches)
  const charged = broker.stats().readBudgetUsedBytes
  t.ok(grown < charged * 1.5 + 30_000_000, `${grown} bytes more, ${charged} charged`)
})

t.test('compressed batches that expand to nothing take a bounded time of one read', async (t) => {
  const raw = Buffer.alloc(16 * 1024 * 1024)
  // Its bytes are records of no length, many more than one.
  const bomb: EntryFields = { body: gzipSync(raw), compression: 1, recordCount: 1, uncompressedLength: raw.length }
  const entries = new Array<EntryFields>(100).fill(bomb)
  const { broker } = await scriptedStream(t, always(encodeChunk({ entries })))
  const gunzipMs = performance.now()
  for (let times = 0; times < 5; times++) gunzipSync(bomb.body)
  const allMs = (performance.now() - gunzipMs) * 20
  const startedMs = performance.now()
  const { messages } = await readEntries(broker, 0, { limit: 10_000, maxBytes: 16 * 1024 * 1024 })
  const tookMs = performance.now() - startedMs
  t.equal(messages[0]?.kind, 'unreadable')
  t.ok(tookMs < allMs / 4, `${tookMs} ms; to expand all of them takes ${allMs} ms`)
})

t.test('confirms and publish errors that come twice, or for unknown messages, change nothing', async (t) => {
  const { broker } = await scriptedStream(t, {
    published: ({ publishingIds, confirm, fail }) => {
      const [first = 0n] = publishingIds
      confirm(first, first, first, 10_000n, 2n ** 53n - 1n)
      fail(17, 10_000n)
      fail(17, first)
      confirm(...publishingIds, ...publishingIds)
    }
  }, { confirmTimeoutMs: 2000 })
  for (let round = 0; round < 5; round++) {
    t.match(await broker.publishing.publish('s', batchOf(numbered(3))), { confirmed: 3, failures: exactly() })
  }
  t.match(broker.stats(), { publishBudgetUsedBytes: 0 })
})

t.test('a broker that delivers more than its credit fills no memory', async (t) => {
  const chunks = 4000
  const body = 'x'.repeat(100_000)
  // Garbage that is not collected yet counts too, and newer engines let more of it gather. So the bound is less than
  // half of the flood, all of which would be there.
  const memory = (): number => process.memoryUsage().external + process.memoryUsage().heapUsed
  let [sent, mostCharged, mostMemory] = [0, 0, 0]
  const { peer, broker } = await scriptedStream(t, {
    committedChunkId: () => 1_000_000,
    subscribed: (subscribed) => {
      const { socket } = peer
      const flood = (): void => {
        mostCharged = Math.max(mostCharged, broker.stats().readBudgetUsedBytes)
        mostMemory = Math.max(mostMemory, memory())
        if (sent === chunks || socket.destroyed) return
        // Chunks that the gateway has not taken yet wait in this process too: few of them, so that they do not count.
        while (sent < chunks && socket.writableLength < 1_000_000) subscribed.deliver(chunkOf(sent++, body))
        setImmediate(flood)
      }
      setImmediate(flood)
    }
  })
  const before = memory()
  await readEntries(broker, 0, { waitMs: 1000, limit: 1 }).catch(() => {})
  await until('the flood is over', () => sent === chunks || peer.socket.destroyed)
  await until('no reader is left', () => broker.stats().readers === 0)
  t.ok(sent >= 100, `${sent} chunks sent`)
  t.ok(mostCharged > 0 && mostCharged < 10_000_000, `${mostCharged} bytes charged at most`)
  t.ok(mostMemory - before < 200_000_000, `${mostMemory - before} bytes more in this process at most`)
  t.match(broker.stats(), { readBudgetUsedBytes: 0 })
})

t.test('a frame that is not a chunk is refused when it is as large as one', async (t) => {
  const { peer, broker } = await scriptedStream(t, always(chunkOf(0, 'x'.repeat(5_000_000))))
  t.same((await readEntries(broker, 0)).offsets, [0])
  const { connectionsLost } = broker.stats()
  const huge = Buffer.alloc(5_000_000)
  huge.writeUInt32BE(huge.length - 4)
  huge.write('80170001', 4, 'hex')
  peer.send(huge)
  await until('the connection is lost', () => broker.stats().connectionsLost > connectionsLost)
  t.same((await readEntries(broker, 0)).offsets, [0])
})
