import t from 'tap'
import fc from 'fast-check'
import * as zlib from 'node:zlib'
import * as lz4 from 'lz4-napi'
import * as snappy from 'snappy'
import {
  CompressionError, type CompressionErrorReason, compressionNames, expandSubBatch
} from '../../../src/streams/protocol/index.ts'

// The packages are independent writers of the formats that are decoded here by hand: LZ4 frames and the Snappy framing,
// as the Java and Go clients write them.
const GZIP = 1
const SNAPPY = 2
const LZ4 = 3
const ZSTD = 4

async function snappyFrames (raw: Uint8Array): Promise<Buffer> {
  const compressor = new snappy.Compressor()
  return Buffer.concat([compressor.update(raw), await compressor.finish()])
}

type Writer = [name: string, compression: number, write: (raw: Buffer) => Buffer | Promise<Buffer>]

// Node has zstd from 22.15 on. The types of the oldest supported version do not have it.
const zstdCompressSync: unknown = Reflect.get(zlib, 'zstdCompressSync')
const ZSTD_WRITERS: Writer[] =
  typeof zstdCompressSync === 'function' ? [['zstd', ZSTD, (raw) => Buffer.from(zstdCompressSync(raw))]] : []

const WRITERS: Writer[] = [
  ['none', 0, (raw) => raw],
  ['gzip', GZIP, (raw) => zlib.gzipSync(raw)],
  ['gzip in two members', GZIP, (raw) => Buffer.concat([
    zlib.gzipSync(raw.subarray(0, 10)),
    zlib.gzipSync(raw.subarray(10), { level: zlib.constants.Z_NO_COMPRESSION })
  ])],
  ['snappy', SNAPPY, snappyFrames],
  ['snappy in two streams', SNAPPY, async (raw) => Buffer.concat([
    await snappyFrames(raw.subarray(0, 10)),
    await snappyFrames(raw.subarray(10))
  ])],
  ['lz4', LZ4, (raw) => lz4.compressFrameSync(raw)],
  ['lz4 with checksums', LZ4, (raw) => lz4.compressFrameSync(raw, { contentChecksum: true, blockChecksums: true })],
  ...ZSTD_WRITERS,
  ['lz4 in two frames', LZ4, (raw) => Buffer.concat([
    lz4.compressFrameSync(raw.subarray(0, 10)),
    lz4.compressFrameSync(raw.subarray(10))
  ])]
]

// Text with near and far repetitions, and bytes without.
const record = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  fc.tuple(fc.string({ maxLength: 8 }), fc.nat(3000)).map(([text, times]) => Buffer.from(text.repeat(times))),
  fc.tuple(fc.nat(255), fc.nat(70_000)).map(([byte, length]) => Buffer.alloc(length, byte))
)

for (const [name, compression, write] of WRITERS) {
  t.test(`${name}: records come out as they went in`, async () => {
    await fc.assert(fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 20 }), async (records) => {
      const raw = join(records)
      const expanded = [...expandSubBatch(compression, await write(raw), raw.length, records.length, raw.length)]
      return expanded.length === records.length && expanded.every((bytes, index) => records[index]?.equals(bytes))
    }), { numRuns: 60 })
  })

  t.test(`${name}: a damaged batch throws nothing but a CompressionError`, async () => {
    const records = [Buffer.from('hello hello hello hello'), Buffer.alloc(300), Buffer.from('the end')]
    const raw = join(records)
    const written = await write(raw)
    const someChanges = fc.array(fc.tuple(fc.nat(written.length - 1), fc.nat(255)), { maxLength: 3 })
    const difference = fc.integer({ min: -2, max: 2 })
    fc.assert(fc.property(fc.nat(written.length), someChanges, difference, (length, changes, more) => {
      const damaged = Buffer.from(written)
      for (const [position, byte] of changes) damaged.writeUInt8(byte, position)
      try {
        expandSubBatch(compression, damaged.subarray(0, length), raw.length + more, records.length, 10_000)
      } catch (error) {
        return error instanceof CompressionError
      }
      return true
    }), { numRuns: 1000 })
  })

  if (compression === 0) continue
  t.test(`${name}: a batch that is longer or shorter than announced is corrupt`, async (t) => {
    const raw = join([Buffer.from('a record of some length, of some length')])
    const written = await write(raw)
    t.equal(reasonOf(() => expandSubBatch(compression, written, raw.length - 1, 1, 1000)), 'corrupt')
    t.equal(reasonOf(() => expandSubBatch(compression, written, raw.length + 1, 1, 1000)), 'corrupt')
    t.equal(reasonOf(() => expandSubBatch(compression, written, 0, 0, 1000)), 'corrupt')
    t.equal(reasonOf(() => expandSubBatch(compression, Buffer.alloc(0), raw.length, 1, 1000)), 'corrupt')
    const other = Buffer.from('something else entirely')
    t.equal(reasonOf(() => expandSubBatch(compression, other, raw.length, 1, 1000)), 'corrupt')
  })

  t.test(`${name}: a batch that is larger than allowed is not expanded`, async (t) => {
    const raw = join([Buffer.from('a record of some length, of some length')])
    const written = await write(raw)
    t.equal(reasonOf(() => expandSubBatch(compression, written, raw.length, 1, raw.length - 1)), 'too_large')
  })

  t.test(`${name}: a bomb allocates no more than it announces`, async (t) => {
    const written = await write(Buffer.alloc(50_000_000))
    const before = process.memoryUsage()
    t.equal(reasonOf(() => expandSubBatch(compression, written, 1000, 1, 1_000_000)), 'corrupt')
    t.equal(reasonOf(() => expandSubBatch(compression, written, 50_000_000, 1, 1_000_000)), 'too_large')
    const after = process.memoryUsage()
    t.ok(after.arrayBuffers + after.external - before.arrayBuffers - before.external < 1_000_000)
  })
}

t.test('records that do not match the counts of their batch are corrupt', async (t) => {
  const raw = join([Buffer.from('a'), Buffer.from('bc')])
  t.same([...expandSubBatch(0, raw, raw.length, 2, 1000)].map(String), ['a', 'bc'])
  for (const count of [0, 1, 3]) {
    t.equal(reasonOf(() => expandSubBatch(0, raw, raw.length, count, 1000)), 'corrupt', `${count} records`)
  }
  const nested = Buffer.from(raw)
  nested.writeUInt8(0x80, 0)
  t.equal(reasonOf(() => expandSubBatch(0, nested, nested.length, 2, 1000)), 'corrupt', 'a batch in a batch')
  t.same([...expandSubBatch(0, Buffer.alloc(0), 0, 0, 1000)], [])
})

t.test('without compression the announced length is ignored', async (t) => {
  const raw = join([Buffer.from('abc')])
  t.same([...expandSubBatch(0, raw, 0, 1, 1000)].map(String), ['abc'])
  t.equal(reasonOf(() => expandSubBatch(0, raw, 0, 1, 5)), 'too_large')
})

t.test('records are views of one buffer', async (t) => {
  const raw = join([Buffer.from('a'), Buffer.from('b')])
  const [a, b] = expandSubBatch(GZIP, zlib.gzipSync(raw), raw.length, 2, 1000)
  t.equal(a?.buffer, b?.buffer)
})

t.test('zstd is expanded if Node can do it, and otherwise unsupported', async (t) => {
  // Written by `zstd` 1.5.4 from "hello " a hundred times and "world", through a pipe: the frame has no size, as that
  // of a client that does not know the size beforehand.
  const written = Buffer.from('28b52ffd0458d50000980000025868656c6c6f2000000005776f726c6401004f5215244a17eb30', 'hex')
  // The beginning of a frame of `zstd --ultra -22 --long=27`, whose expansion needs 128 MiB.
  const greedy = Buffer.from('28b52ffd04884c000008000100fcff391002020010000200', 'hex')
  if (typeof zstdCompressSync === 'function') {
    t.same([...expandSubBatch(ZSTD, written, 613, 2, 1000)].map(String), ['hello '.repeat(100), 'world'])
    t.throws(() => expandSubBatch(ZSTD, greedy, 613, 2, 1000), {
      reason: 'corrupt',
      message: /./,
      cause: { code: 'ZSTD_error_frameParameter_windowTooLarge' }
    })
  } else {
    const unsupported = { reason: 'unsupported', message: /needs Node.js 22.15/ }
    t.throws(() => expandSubBatch(ZSTD, written, 613, 2, 1000), unsupported)
  }
})

t.test('an undefined compression is unsupported', async (t) => {
  t.same(compressionNames, ['none', 'gzip', 'snappy', 'lz4', 'zstd'])
  for (const compression of [5, 6, 7]) {
    t.equal(reasonOf(() => expandSubBatch(compression, Buffer.alloc(4), 4, 0, 1000)), 'unsupported')
  }
})

t.test('a zlib stream is not accepted as gzip', async (t) => {
  const raw = join([Buffer.from('abc')])
  t.equal(reasonOf(() => expandSubBatch(GZIP, zlib.deflateSync(raw), raw.length, 1, 1000)), 'corrupt')
})

t.test('an LZ4 match refers only to bytes that are already written', async (t) => {
  const frame = (block: string): Buffer =>
    Buffer.concat([Buffer.from('04224d18' + '60' + '40' + '00', 'hex'), sized(block), Buffer.alloc(4)])
  const sized = (block: string): Buffer => {
    const size = Buffer.alloc(4)
    size.writeUInt32LE(block.length / 2)
    return Buffer.concat([size, Buffer.from(block, 'hex')])
  }
  const expand = (block: string, length: number, count: number): string[] =>
    [...expandSubBatch(LZ4, frame(block), length, count, 1000)].map(String)
  // One literal 00, then a match of four bytes one back, then the last literals 00: five zeros and 00.
  t.same(expand('10' + '00' + '0100' + '30' + '000000', 8, 2), ['', ''])
  t.equal(reasonOf(() => expand('10' + '00' + '0200' + '30' + '000000', 8, 2)), 'corrupt', 'two back')
  t.equal(reasonOf(() => expand('10' + '00' + '0000' + '30' + '000000', 8, 2)), 'corrupt', 'zero back')
  t.equal(reasonOf(() => expand('10' + '00' + '0100', 5, 1)), 'corrupt', 'no last literals')
  t.equal(reasonOf(() => expand('f0' + 'ff', 8, 2)), 'corrupt', 'an endless length')
})

t.test('frames and chunks without data are skipped', async (t) => {
  const raw = join([Buffer.from('abc')])
  const remark = Buffer.from('5a2a4d18' + '03000000' + '010203', 'hex')
  const lz4WithRemarks = Buffer.concat([remark, lz4.compressFrameSync(raw), remark])
  t.same([...expandSubBatch(LZ4, lz4WithRemarks, raw.length, 1, 1000)].map(String), ['abc'])
  const padding = Buffer.from('fe' + '020000' + '0000', 'hex')
  const snappyWithPadding = Buffer.concat([padding, await snappyFrames(raw), padding])
  t.same([...expandSubBatch(SNAPPY, snappyWithPadding, raw.length, 1, 1000)].map(String), ['abc'])
  const reserved = Buffer.from('02' + '000000' + '', 'hex')
  t.equal(reasonOf(() => expandSubBatch(SNAPPY, Buffer.concat([reserved, Buffer.alloc(4)]), 0, 0, 1000)), 'corrupt')
})

function join (records: readonly Buffer[]): Buffer {
  return Buffer.concat(records.flatMap((body) => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(body.length)
    return [length, body]
  }))
}

function reasonOf (work: () => unknown): CompressionErrorReason | 'none' {
  try {
    work()
  } catch (error) {
    if (error instanceof CompressionError) return error.reason
    throw error
  }
  return 'none'
}
