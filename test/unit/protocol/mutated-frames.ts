import fc from 'fast-check'
import type { CommandName } from '../../../src/streams/protocol/index.ts'
import { CommandKey } from '../../../src/streams/protocol/index.ts'
import { encodeChunk } from './encode-chunk.ts'
import { answerFrame, frame, rawFrame } from './scripted-broker.ts'

const u8 = fc.nat(255)
const name = fc.oneof(fc.constantFrom('', 's', 'orders'), fc.string({ maxLength: 40 }))
// Ids of pending requests, and others.
const correlationId = fc.oneof(
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 16 }) },
  { weight: 3, arbitrary: fc.integer({ min: 17, max: 0xffff_ffff }) }
)
const u64 = fc.oneof(fc.bigInt({ min: 0n, max: 100n }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }))
const code = fc.oneof({ weight: 3, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.nat(0xffff) })
const random = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes))

const entry = fc.oneof(
  random.map((body) => ({ body })),
  fc.record({
    body: random,
    compression: fc.nat(7),
    recordCount: fc.oneof(fc.nat(5), fc.nat(0xffff)),
    uncompressedLength: fc.oneof(fc.nat(100), fc.nat(0xffff_ffff))
  })
)
const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined, freq: 4 })
const chunk = fc.record({
  entries: fc.array(entry, { maxLength: 8 }),
  firstOffset: u64,
  timestamp: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  chunkType: fc.nat(3),
  entryCount: optional(fc.nat(0xffff)),
  recordCount: optional(fc.nat(0xffff_ffff)),
  crc: optional(fc.nat(0xffff_ffff)),
  trailerLength: optional(fc.nat(0xffff_ffff))
}).map(({ entryCount, recordCount, crc, trailerLength, ...rest }) => encodeChunk({
  ...rest,
  ...(entryCount !== undefined && { entryCount }),
  ...(recordCount !== undefined && { recordCount }),
  ...(crc !== undefined && { crc }),
  ...(trailerLength !== undefined && { trailerLength })
}))
const deliver = fc.oneof(
  fc.tuple(u8, chunk).map(([id, chunk]) => rawFrame('00080001' + hex(id, 1), chunk)),
  fc.tuple(u8, u64, chunk).map(([id, committed, chunk]) =>
    rawFrame('00080002' + hex(id, 1) + committed.toString(16).padStart(16, '0'), chunk))
)

const commands = commandNames()
const tenZeros = fc.constant(Buffer.from('00000000000000000000', 'hex'))
const answer = fc.tuple(fc.constantFrom(...commands), correlationId, code, fc.oneof(random, tenZeros))
  .map(([command, id, code, rest]) => withTail(answerFrame(command, id, code), rest))

const publishConfirm = fc.tuple(u8, fc.array(u64, { maxLength: 20 })).map(([id, ids]) =>
  frame('publishConfirm', (writer) => writer.u8(id).array(ids, (to, publishingId) => to.u64(publishingId))))
const publishError = fc.tuple(u8, fc.array(fc.tuple(u64, code), { maxLength: 20 })).map(([id, errors]) =>
  frame('publishError', (writer) => writer.u8(id).array(errors, (to, [publishingId, code]) =>
    to.u64(publishingId).u16(code))))
const metadataUpdate = fc.tuple(code, name).map(([code, stream]) =>
  frame('metadataUpdate', (writer) => writer.u16(code).string(stream)))
const creditRefusal = fc.tuple(code, u8).map(([code, id]) =>
  rawFrame('80090001' + hex(code, 2) + hex(id, 1), Buffer.alloc(0)))
const consumerUpdate = fc.tuple(correlationId, u8, u8).map(([id, subscription, active]) =>
  frame('consumerUpdate', (writer) => writer.u32(id).u8(subscription).u8(active)))
const tune = fc.tuple(fc.nat(0xffff_ffff), fc.nat(0xffff_ffff)).map(([size, heartbeat]) =>
  frame('tune', (writer) => writer.u32(size).u32(heartbeat)))
const close = fc.tuple(correlationId, code, name).map(([id, code, reason]) =>
  frame('close', (writer) => writer.u32(id).u16(code).string(reason)))
const anyCommand = fc.tuple(fc.constantFrom(...commands), fc.nat(3), random).map(([command, version, rest]) =>
  withTail(frame(command, () => {}, version), rest))

/** Every kind of frame that a broker may send, each correct or nearly so. */
const anyFrame: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 12, arbitrary: answer },
  { weight: 12, arbitrary: deliver },
  { weight: 6, arbitrary: publishConfirm },
  { weight: 6, arbitrary: publishError },
  { weight: 6, arbitrary: metadataUpdate },
  { weight: 6, arbitrary: creditRefusal },
  { weight: 6, arbitrary: fc.constant(frame('heartbeat')) },
  { weight: 6, arbitrary: consumerUpdate },
  { weight: 1, arbitrary: tune },
  { weight: 1, arbitrary: close },
  { weight: 1, arbitrary: anyCommand },
  { weight: 1, arbitrary: random.map((bytes) => rawFrame('', bytes)) }
)

type Mutation = (frame: Buffer) => Buffer

const asItIs: Mutation = (frame) => frame
const anyShare = fc.double({ min: 0, max: 1, noNaN: true })
const someChanges = fc.array(
  fc.tuple(fc.double({ min: 0, max: 0.999, noNaN: true }), u8), { minLength: 1, maxLength: 4 }
)
const anySize = fc.oneof(
  fc.constantFrom(0, 1, 3, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 1_048_577, 300_000_000),
  fc.nat(0xffff_ffff)
)
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  { weight: 300, arbitrary: fc.constant(asItIs) },
  { weight: 10, arbitrary: anyShare.map((share): Mutation => (frame) => truncated(frame, share)) },
  { weight: 10, arbitrary: random.map((tail): Mutation => (frame) => withTail(frame, tail)) },
  { weight: 10, arbitrary: fc.constant<Mutation>((frame) => Buffer.concat([frame, frame])) },
  { weight: 20, arbitrary: someChanges.map((changes): Mutation => (frame) => changed(frame, changes)) },
  // These are rare because they make every later frame of the connection unreadable.
  { weight: 2, arbitrary: anySize.map((size): Mutation => (frame) => sized(frame, size)) },
  {
    weight: 2,
    arbitrary: fc.integer({ min: -4, max: 40 })
      .map((more): Mutation => (frame) => sized(frame, Math.max(0, frame.length - 4 + more)))
  }
)

/** Valid and invalid frames of one connection. `bytesPerRead` says where the reads cut them. */
export const conversation = fc.record({
  frames: fc.array(
    fc.tuple(anyFrame, mutation).map(([frame, mutate]) => mutate(frame)),
    { minLength: 1, maxLength: 30, size: 'max' }
  ),
  bytesPerRead: fc.constantFrom(1, 7, 100, 1_000_000)
})

function commandNames (): CommandName[] {
  const isName = (name: string): name is CommandName => name in CommandKey
  return Object.keys(CommandKey).filter(isName)
}

function truncated (frame: Buffer, share: number): Buffer {
  return resized(frame.subarray(0, 4 + Math.floor((frame.length - 4) * share)))
}

function changed (frame: Buffer, changes: ReadonlyArray<readonly [place: number, byte: number]>): Buffer {
  const copy = Buffer.from(frame)
  if (frame.length === 4) return copy
  for (const [place, byte] of changes) copy.writeUInt8(byte, 4 + Math.floor((frame.length - 4) * place))
  return copy
}

function hex (value: number, bytes: number): string {
  return value.toString(16).padStart(bytes * 2, '0')
}

function withTail (frame: Buffer, tail: Buffer): Buffer {
  return resized(Buffer.concat([frame, tail]))
}

function resized (frame: Buffer): Buffer {
  return sized(frame, frame.length - 4)
}

function sized (frame: Buffer, size: number): Buffer {
  const copy = Buffer.from(frame)
  copy.writeUInt32BE(size, 0)
  return copy
}
