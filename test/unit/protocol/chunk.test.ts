import t from 'tap'
import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import {
  Chunk, ChunkError, ChunkType, type EntryCursor, expandSubBatch, parseChunk
} from '../../../src/streams/protocol/index.ts'
import { deliver } from '../../../src/streams/protocol/commands/deliver.ts'
import { FrameReader } from '../../../src/streams/protocol/frame-reader.ts'
import { encodeChunk, type ChunkFields, type EntryFields } from './encode-chunk.ts'

interface SeenEntry {
  readonly offset: number
  readonly recordCount: number
  readonly isSubBatch: boolean
  readonly compression: number
  readonly body: string
}

function walk (cursor: EntryCursor): SeenEntry[] {
  const seen: SeenEntry[] = []
  while (cursor.next()) {
    const { offset, recordCount, isSubBatch, compression } = cursor
    seen.push({ offset, recordCount, isSubBatch, compression, body: cursor.bytes().toString('hex') })
  }
  return seen
}

function parse (fields: ChunkFields): Chunk {
  return parseChunk(encodeChunk(fields), 0)
}

const one = { body: Buffer.from('one') }

for (const version of ['4.0.5', '4.3.6']) {
  t.test(`what RabbitMQ ${version} delivers is read`, async (t) => {
    const { committedChunkId, subscriptionId, chunk } = recorded(`deliver-${version}-user.bin`)
    t.equal(subscriptionId, 9)
    t.equal(committedChunkId, 5)
    t.match(chunk, { firstOffset: 0, endOffset: 5, recordCount: 5, entryCount: 4, chunkType: ChunkType.user })
    t.ok(chunk.timestamp > Date.UTC(2026) && chunk.timestamp < Date.UTC(2030))
    const cursor = chunk.entries()
    const texts: Array<[number, string]> = []
    while (cursor.next()) {
      const { compression, uncompressedLength, recordCount } = cursor
      if (cursor.isSubBatch) {
        const records = expandSubBatch(compression, cursor.bytes(), uncompressedLength, recordCount, 1000)
        for (const [index, record] of [...records].entries()) texts.push([cursor.offset + index, record.toString()])
      } else texts.push([cursor.offset, cursor.bytes().toString()])
    }
    t.same(texts, [[0, 'one'], [1, 'two'], [2, 'three'], [3, 'four'], [4, 'five']])

    const tracking = recorded(`deliver-${version}-tracking.bin`).chunk
    t.match(tracking, { firstOffset: 5, recordCount: 1, chunkType: ChunkType.trackingDelta })
    t.equal(walk(tracking.entries()).length, 1)
  })
}

t.test('entries come out as they went in, with their offsets', async () => {
  const simple = fc.uint8Array({ maxLength: 100 }).map((body): EntryFields => ({ body: Buffer.from(body) }))
  const subBatch = fc
    .tuple(fc.uint8Array({ maxLength: 100 }), fc.integer({ min: 0, max: 7 }), fc.integer({ min: 1, max: 65_535 }))
    .map(([body, compression, recordCount]): EntryFields =>
      ({ body: Buffer.from(body), compression, recordCount, uncompressedLength: body.length }))
  const someEntries = fc.array(fc.oneof(simple, subBatch), { maxLength: 30 })
  const firstOffsets = fc.bigInt({ min: 0n, max: 2n ** 52n })
  fc.assert(fc.property(someEntries, firstOffsets, fc.nat(100), (entries, firstOffset, before) => {
    const frame = Buffer.concat([Buffer.alloc(before), encodeChunk({ entries, firstOffset })])
    const chunk = parseChunk(frame, before)
    let offset = Number(firstOffset)
    const expected = entries.map((entry) => {
      const isSubBatch = 'compression' in entry
      const seen = {
        offset,
        recordCount: isSubBatch ? entry.recordCount : 1,
        isSubBatch,
        compression: isSubBatch ? entry.compression : 0,
        body: entry.body.toString('hex')
      }
      offset += seen.recordCount
      return seen
    })
    return JSON.stringify(walk(chunk.entries())) === JSON.stringify(expected) && chunk.endOffset === offset
  }))
})

t.test('a cursor knows the length of a body without making a view, and stays at the end', async (t) => {
  const cursor = parse({
    entries: [one, { body: Buffer.alloc(300), compression: 1, recordCount: 2, uncompressedLength: 900 }]
  }).entries()
  t.equal(cursor.next(), true)
  t.equal(cursor.bodyLength, 3)
  t.equal(cursor.next(), true)
  t.equal(cursor.bodyLength, 300)
  t.equal(cursor.uncompressedLength, 900)
  t.equal(cursor.next(), false)
  t.equal(cursor.next(), false)
  t.equal(parse({ entries: [] }).entries().next(), false)
})

t.test('bytes after the data are ignored', async (t) => {
  const chunk = parseChunk(Buffer.concat([encodeChunk({ entries: [one], trailerLength: 5 }), Buffer.from('extra')]), 0)
  t.equal(walk(chunk.entries()).length, 1)
})

t.test('a clone of a cursor moves independently', async (t) => {
  const subBatch = { body: Buffer.from('abc'), compression: 3, recordCount: 7, uncompressedLength: 9 }
  const cursor = parse({ entries: [one, { body: Buffer.from('two') }, subBatch, one] }).entries()
  cursor.next()
  cursor.next()
  const clone = cursor.clone()
  t.match(clone, { offset: 1, recordCount: 1, isSubBatch: false })
  t.equal(clone.bytes().toString(), 'two')
  const rest = walk(cursor)
  t.equal(clone.bytes().toString(), 'two', 'the clone has not moved')
  t.same(walk(clone), rest)
  t.same(rest.map(({ offset }) => offset), [2, 9])
})

t.test('a chunk that contradicts itself is refused', async (t) => {
  const cases: Array<[string, ChunkFields, RegExp]> = [
    ['a wrong checksum', { entries: [one], crc: 1 }, /checksum/],
    ['an offset above 2^53 - 1', { entries: [one], firstOffset: 2n ** 53n }, /2\^53/],
    ['an end above 2^53 - 1', { entries: [one], firstOffset: 2n ** 53n - 1n }, /2\^53/]
  ]
  for (const [what, fields, message] of cases) t.throws(() => parse(fields), { name: 'ChunkError', message }, what)
  const chunk = encodeChunk({ entries: [one] })
  t.throws(() => parseChunk(chunk, 0, chunk.length - 1), { name: 'ChunkError', message: /announces 7 bytes and has 6/ })
  t.throws(() => parseChunk(chunk, 10), { name: 'ChunkError', message: /no room for its header/ })
  t.throws(() => parseChunk(chunk, 0, chunk.length + 1), { name: 'ChunkError' })
  chunk.writeUInt8(0x51, 0)
  t.throws(() => parseChunk(chunk, 0), { name: 'ChunkError', message: /0x51 does not start a chunk/ })
})

t.test('entries are refused where they contradict the header of the chunk', async (t) => {
  const cut = Buffer.from('0000000a' + '61', 'hex') // announces ten bytes and has one
  const cases: Array<[string, Chunk, RegExp]> = [
    ['fewer entries than announced', parse({ entries: [one], entryCount: 2 }), /ends before its last entry/],
    [
      'more entries than announced', parse({ entries: [one, one], entryCount: 1, recordCount: 1 }),
      /bytes or records after its last entry/
    ],
    [
      'fewer records than announced', parse({ entries: [one], recordCount: 2 }),
      /bytes or records after its last entry/
    ],
    ['more records than announced', parse({ entries: [one, one], recordCount: 1 }), /more records/],
    ['an entry that is longer than the chunk', chunkOf(cut), /longer than it/],
    ['half a header', chunkOf(Buffer.from('0000', 'hex')), /inside the header of an entry/],
    [
      'half a header of a sub-entry batch', chunkOf(Buffer.from('900001', 'hex')),
      /inside the header of a sub-entry batch/
    ]
  ]
  for (const [what, chunk, message] of cases) {
    t.throws(() => { const cursor = chunk.entries(); while (cursor.next()); }, { name: 'ChunkError', message }, what)
  }
})

t.test('a damaged chunk throws nothing but a ChunkError', async () => {
  const subBatch = { body: Buffer.from('abcdef'), compression: 1, recordCount: 3, uncompressedLength: 6 }
  const frame = encodeChunk({ entries: [one, subBatch, one] })
  const someChanges = fc.array(fc.tuple(fc.nat(frame.length - 1), fc.nat(255)), { maxLength: 4 })
  fc.assert(fc.property(fc.nat(frame.length), someChanges, (length, changes) => {
    const damaged = Buffer.from(frame)
    for (const [position, byte] of changes) damaged.writeUInt8(byte, position)
    return throwsOnlyChunkErrors(() => {
      const chunk = parseChunk(damaged.subarray(0, length), 0)
      for (const cursor = chunk.entries(); cursor.next();) cursor.bytes()
    }) && throwsOnlyChunkErrors(() => {
      // The checksum stops nearly all of these. The broker computes it, so bad entries of a publisher have a right one.
      for (const cursor = chunkOf(damaged.subarray(48, Math.max(48, length))).entries(); cursor.next();) cursor.bytes()
    })
  }), { numRuns: 2000 })
})

t.test('a small chunk does not keep the large buffer it arrived in', async (t) => {
  const small = encodeChunk({ entries: [one] })
  const read = Buffer.alloc(65_536)
  small.copy(read, 1000)
  const chunk = parseChunk(read, 1000, 1000 + small.length)
  t.equal(chunk.byteLength, 7)
  read.fill(0)
  t.equal(walk(chunk.entries())[0]?.body, one.body.toString('hex'))
})

t.test('a chunk that owns its buffer is not copied', async (t) => {
  const frame = Buffer.from(encodeChunk({ entries: [{ body: Buffer.alloc(100_000) }] }))
  const chunk = parseChunk(frame, 0, frame.length, true)
  t.equal(chunk.data.buffer, frame.buffer)
  t.equal(chunk.byteLength, frame.buffer.byteLength)
})

t.test('a chunk in a shared read buffer survives the next read', async (t) => {
  const frame = Buffer.from(encodeChunk({ entries: [{ body: Buffer.alloc(100_000, 'a') }] }))
  const chunk = parseChunk(frame, 0)
  frame.fill('b')
  t.equal(walk(chunk.entries())[0]?.body, '61'.repeat(100_000))
})

function recorded (file: string): { subscriptionId: number, committedChunkId: number | undefined, chunk: Chunk } {
  const frame = readFileSync(new URL(`fixtures/${file}`, import.meta.url))
  const reader = new FrameReader(frame, 0, frame.length)
  if (reader.u16() !== 8) throw new Error('not a Deliver frame')
  const { subscriptionId, committedChunkId, chunk: { buffer, start, end } } = deliver.read(reader, reader.u16())
  return { subscriptionId, committedChunkId, chunk: parseChunk(buffer, start, end) }
}

// A chunk with any data whose header announces one entry and one record.
function chunkOf (data: Buffer): Chunk {
  return new Chunk({ firstOffset: 0, timestamp: 0, recordCount: 1, entryCount: 1, chunkType: 0, data })
}

function throwsOnlyChunkErrors (work: () => void): boolean {
  try {
    work()
  } catch (error) {
    return error instanceof ChunkError
  }
  return true
}
