import t, { type Test } from 'tap'
import { gzipSync } from 'node:zlib'
import * as lz4 from 'lz4-napi'
import { Expander } from '../../../src/streams/protocol/index.ts'

const GZIP = 1
const LZ4 = 3
const MIB = 1024 * 1024

/** Records behind their lengths, as a batch has them. */
function join (...records: Buffer[]): Buffer {
  return Buffer.concat(records.flatMap((record) => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(record.length)
    return [length, record]
  }))
}

function open (t: Test, maxBytes = 64 * MIB, jobMs?: number): Expander {
  const expander = new Expander(maxBytes, jobMs)
  t.teardown(async () => { await expander.close() })
  return expander
}

t.test('batches are expanded as they were written, however many at once', async (t) => {
  const expander = open(t)
  const raw = join(Buffer.from('a'), Buffer.alloc(100_000, 'b'))
  const batches = [
    { compression: GZIP, bytes: gzipSync(raw) },
    { compression: LZ4, bytes: lz4.compressFrameSync(raw) }
  ].map((batch) => ({ ...batch, uncompressedLength: raw.length, recordCount: 2 }))
  const all = await Promise.all([...batches, ...batches, ...batches].map(async (batch) => await expander.expand(batch)))
  for (const records of all) t.same([...records].map(({ length }) => length), [1, 100_000])
  t.equal(batches[0]?.bytes.length, gzipSync(raw).length, 'the bytes are still there')
})

t.test('a batch that is corrupt, unknown, too large or a bomb is refused, and the next one is expanded', async (t) => {
  const expander = open(t, MIB)
  const raw = join(Buffer.from('a'))
  const good = { compression: GZIP, bytes: gzipSync(raw), uncompressedLength: raw.length, recordCount: 1 }
  const bad = [
    [{ ...good, bytes: good.bytes.subarray(0, 10) }, 'corrupt'],
    [{ ...good, recordCount: 2 }, 'corrupt'],
    [{ ...good, bytes: gzipSync(Buffer.alloc(50 * MIB)), uncompressedLength: MIB }, 'corrupt'],
    [{ ...good, uncompressedLength: 2 * MIB }, 'too_large'],
    [{ ...good, compression: 7 }, 'unsupported']
  ] as const
  for (const [batch, reason] of bad) {
    await t.rejects(expander.expand(batch), { name: 'CompressionError', reason })
    t.equal((await expander.expand(good)).length, 1)
  }
})

t.test('a batch that takes too long fails alone', async (t) => {
  const expander = open(t, 64 * MIB, 1)
  const raw = join(Buffer.alloc(60 * MIB))
  const batch = { compression: GZIP, bytes: gzipSync(raw), uncompressedLength: raw.length, recordCount: 1 }
  await t.rejects(Promise.race([expander.expand(batch)]), { name: 'CompressionError', reason: 'failed' })
})

t.test('a batch that makes its thread crash fails alone, and another thread goes on', async (t) => {
  const expander = open(t)
  const raw = join(Buffer.from('a'))
  const good = { compression: GZIP, bytes: gzipSync(raw), uncompressedLength: raw.length, recordCount: 1 }
  // No count of records that a chunk could have: an array of this size cannot be made.
  const crashing = { ...good, recordCount: -1 }
  const results = await Promise.allSettled([crashing, good, crashing, good, good].map(async (batch) =>
    await expander.expand(batch)))
  t.same(results.map(({ status }) => status), ['rejected', 'fulfilled', 'rejected', 'fulfilled', 'fulfilled'])
  t.match(results[0], { reason: { name: 'CompressionError', reason: 'failed' } })
})

t.test('closing ends what is under way', async (t) => {
  const expander = new Expander(MIB)
  const raw = join(Buffer.from('a'))
  const good = { compression: GZIP, bytes: gzipSync(raw), uncompressedLength: raw.length, recordCount: 1 }
  const results = Promise.allSettled(Array.from({ length: 5 }, async () => await expander.expand(good)))
  await expander.close()
  await expander.close()
  for (const result of await results) t.match(result, { status: 'rejected', reason: { name: 'ProtocolError' } })
  await t.rejects(expander.expand(good), { name: 'ProtocolError' })
})
