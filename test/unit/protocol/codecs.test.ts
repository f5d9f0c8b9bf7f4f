import t from 'tap'
import fc from 'fast-check'
import { CommandKey, describeResponseCode, type OffsetSpec, ResponseCode } from '../../../src/streams/protocol/index.ts'
import { encodeCommand, encodeRequest, type Request } from '../../../src/streams/protocol/commands/command.ts'
import { createStream } from '../../../src/streams/protocol/commands/create-stream.ts'
import { createSuperStream } from '../../../src/streams/protocol/commands/create-super-stream.ts'
import { credit } from '../../../src/streams/protocol/commands/credit.ts'
import { close } from '../../../src/streams/protocol/commands/close.ts'
import { declarePublisher } from '../../../src/streams/protocol/commands/declare-publisher.ts'
import { deletePublisher } from '../../../src/streams/protocol/commands/delete-publisher.ts'
import { deleteStream } from '../../../src/streams/protocol/commands/delete-stream.ts'
import { deleteSuperStream } from '../../../src/streams/protocol/commands/delete-super-stream.ts'
import { exchangeCommandVersions } from '../../../src/streams/protocol/commands/exchange-command-versions.ts'
import { metadata } from '../../../src/streams/protocol/commands/metadata.ts'
import { open } from '../../../src/streams/protocol/commands/open.ts'
import { peerProperties } from '../../../src/streams/protocol/commands/peer-properties.ts'
import { partitions } from '../../../src/streams/protocol/commands/partitions.ts'
import { queryOffset } from '../../../src/streams/protocol/commands/query-offset.ts'
import { queryPublisherSequence } from '../../../src/streams/protocol/commands/query-publisher-sequence.ts'
import { resolveOffsetSpec } from '../../../src/streams/protocol/commands/resolve-offset-spec.ts'
import { route } from '../../../src/streams/protocol/commands/route.ts'
import { saslAuthenticate, saslHandshake } from '../../../src/streams/protocol/commands/sasl.ts'
import { storeOffset } from '../../../src/streams/protocol/commands/store-offset.ts'
import { streamStats } from '../../../src/streams/protocol/commands/stream-stats.ts'
import { subscribe } from '../../../src/streams/protocol/commands/subscribe.ts'
import { tune } from '../../../src/streams/protocol/commands/tune.ts'
import { unsubscribe } from '../../../src/streams/protocol/commands/unsubscribe.ts'
import { FrameReader } from '../../../src/streams/protocol/frame-reader.ts'
import { FrameWriter } from '../../../src/streams/protocol/frame-writer.ts'
import { MalformedFrameError } from '../../../src/streams/protocol/errors.ts'

// The frames are written by hand from the protocol reference: the reader must not be the proof of the writer.
const S = '0002' + '7332' // a stream named s2
const R = '0001' + '72' // a reference named r
const none = new Map<string, string>()
const NONE = '00000000'
const some = new Map([['a', 'b'], ['c', '']])
const SOME = '00000002' + '0001' + '61' + '0001' + '62' + '0001' + '63' + '0000'

t.test('requests are encoded as the protocol says', async (t) => {
  const cases: Array<[name: string, frame: Buffer, key: string, args: string]> = [
    [
      'declarePublisher', request(declarePublisher, { publisherId: 255, reference: 'r', stream: 's2' }),
      '0001', 'ff' + R + S
    ],
    [
      'declarePublisher without a reference',
      request(declarePublisher, { publisherId: 0, reference: '', stream: 's2' }), '0001', '00' + '0000' + S
    ],
    ['queryPublisherSequence', request(queryPublisherSequence, { reference: 'r', stream: 's2' }), '0005', R + S],
    ['deletePublisher', request(deletePublisher, { publisherId: 3 }), '0006', '03'],
    ['queryOffset', request(queryOffset, { reference: 'r', stream: 's2' }), '000b', R + S],
    ['unsubscribe', request(unsubscribe, { subscriptionId: 3 }), '000c', '03'],
    ['createStream', request(createStream, { stream: 's2', args: some }), '000d', S + SOME],
    ['deleteStream', request(deleteStream, { stream: 's2' }), '000e', S],
    ['metadata', request(metadata, { streams: ['s2', 'ü'] }), '000f', '00000002' + S + '0002' + 'c3bc'],
    ['peerProperties', request(peerProperties, { properties: some }), '0011', SOME],
    ['saslHandshake', request(saslHandshake, undefined), '0012', ''],
    [
      'saslAuthenticate', request(saslAuthenticate, { mechanism: 'X', data: Buffer.from('ab') }),
      '0013', '0001' + '58' + '00000002' + '6162'
    ],
    ['open', request(open, { virtualHost: '/' }), '0015', '0001' + '2f'],
    ['close', request(close, { code: 1, reason: 'x' }), '0016', '0001' + '0001' + '78'],
    [
      'exchangeCommandVersions', request(exchangeCommandVersions, { commands: [{ key: 8, min: 1, max: 2 }] }),
      '001b', '00000001' + '0008' + '0001' + '0002'
    ],
    ['partitions', request(partitions, { superStream: 's2' }), '0019', S],
    ['route', request(route, { routingKey: 'ü', superStream: 's2' }), '0018', '0002' + 'c3bc' + S],
    [
      'createSuperStream',
      request(createSuperStream, { superStream: 's2', partitions: ['p', 'q'], bindingKeys: ['0', '1'], args: some }),
      '001d', S + '00000002' + '0001' + '70' + '0001' + '71' + '00000002' + '0001' + '30' + '0001' + '31' + SOME
    ],
    ['deleteSuperStream', request(deleteSuperStream, { superStream: 's2' }), '001e', S],
    ['streamStats', request(streamStats, { stream: 's2' }), '001c', S],
    [
      'resolveOffsetSpec', request(resolveOffsetSpec, { stream: 's2', spec: { type: 'last' }, properties: none }),
      '001f', S + '0002' + NONE
    ]
  ]
  for (const [name, frame, key, args] of cases) {
    t.equal(frame.toString('hex'), sized(key + '0001' + '00000001' + args), name)
  }
})

t.test('a subscription is encoded with its start, its credit and its properties', async (t) => {
  const cases: Array<[spec: OffsetSpec, credit: number, properties: Map<string, string>, args: string]> = [
    [{ type: 'first' }, 10, none, '0001' + '000a' + NONE],
    [{ type: 'last' }, 65_535, some, '0002' + 'ffff' + SOME],
    [{ type: 'next' }, 1, none, '0003' + '0001' + NONE],
    [{ type: 'offset', offset: 2 ** 40 }, 1, none, '0004' + '0000010000000000' + '0001' + NONE],
    [{ type: 'offset', offset: 2n ** 64n - 1n }, 1, none, '0004' + 'ffffffffffffffff' + '0001' + NONE],
    [{ type: 'timestamp', timestamp: -1.5 }, 1, none, '0005' + 'ffffffffffffffff' + '0001' + NONE]
  ]
  for (const [spec, credit, properties, args] of cases) {
    const frame = request(subscribe, { subscriptionId: 3, stream: 's2', spec, credit, properties })
    t.equal(frame.toString('hex'), sized('0007' + '0001' + '00000001' + '03' + S + args), spec.type)
  }
})

t.test('commands are encoded as the protocol says', async (t) => {
  const grant = encodeCommand(credit, { subscriptionId: 3, credit: 258 })
  t.equal(grant.toString('hex'), sized('0009' + '0001' + '03' + '0102'))
  const stored = encodeCommand(storeOffset, { reference: 'r', stream: 's', offset: 2n ** 64n - 1n })
  t.equal(stored.toString('hex'), sized('000a' + '0001' + '0001' + '72' + '0001' + '73' + 'ffffffffffffffff'))
  const tuned = encodeCommand(tune, { frameMaxBytes: 1_048_576, heartbeatSeconds: 60 })
  t.equal(tuned.toString('hex'), sized('0014' + '0001' + '00100000' + '0000003c'))
})

t.test('answers are decoded as the protocol says', async (t) => {
  t.equal(read(queryOffset, 'ffffffffffffffff'), 2n ** 64n - 1n)
  t.equal(read(queryPublisherSequence, '0000000000000007'), 7n)
  const statistics = '00000002' + '0001' + '61' + 'ffffffffffffffff' + '0001' + '62' + '0000000000000005'
  t.same(read(partitions, '00000002' + S + '0001' + '78'), ['s2', 'x'])
  t.same(read(route, '00000001' + S), ['s2'])
  t.same(read(route, NONE), [])
  t.same([...read(streamStats, statistics)], [['a', -1n], ['b', 5n]])
  t.same(read(saslHandshake, '00000002' + '0005' + '504c41494e' + '0001' + '58'), ['PLAIN', 'X'])
  t.same([...read(peerProperties, '00000001' + '0001' + '61' + '0001' + '62')], [['a', 'b']])
  t.same([...read(open, '')], [])
  t.same(read(exchangeCommandVersions, '00000001' + '0002' + '0001' + '0002'), [{ key: 2, min: 1, max: 2 }])
  t.equal(read(resolveOffsetSpec, '0004' + '0000000000000009'), 9)
  t.throws(() => read(resolveOffsetSpec, '0005' + '0000000000000009'), { name: 'MalformedFrameError' })
  t.throws(() => read(resolveOffsetSpec, '0004' + '0020000000000000'), { name: 'MalformedFrameError' })
})

t.test('metadata refers to brokers by number, and a number may name no broker', async (t) => {
  const brokers = '00000002' + '0000' + '0001' + '61' + '000015b0' + '0007' + '0001' + '62' + '000015b1'
  const healthy = '0001' + '73' + '0001' + '0007' + '00000002' + '0000' + '0007'
  const leaderless = '0001' + '74' + '0001' + 'ffff' + '00000002' + '0000' + '0063' // 0x63 is not one of the brokers
  const missing = '0001' + '75' + '0002' + 'ffff' + '00000000'
  t.same(read(metadata, brokers + '00000003' + healthy + leaderless + missing), [
    {
      stream: 's',
      responseCode: 1,
      leader: { host: 'b', port: 5553 },
      replicas: [{ host: 'a', port: 5552 }, { host: 'b', port: 5553 }]
    },
    { stream: 't', responseCode: 1, leader: undefined, replicas: [{ host: 'a', port: 5552 }] },
    { stream: 'u', responseCode: 2, leader: undefined, replicas: [] }
  ])
})

t.test('a damaged answer throws nothing but a MalformedFrameError', async () => {
  const requests: Array<Request<never, unknown>> = [
    queryOffset, queryPublisherSequence, streamStats, saslHandshake, peerProperties, open, exchangeCommandVersions,
    resolveOffsetSpec, metadata, close
  ]
  fc.assert(fc.property(fc.constantFrom(...requests), fc.uint8Array({ maxLength: 60 }), (request, bytes) => {
    try {
      request.read(new FrameReader(Buffer.from(bytes), 0, bytes.length))
    } catch (error) {
      return error instanceof MalformedFrameError
    }
    return true
  }), { numRuns: 3000 })
})

t.test('the reader reads back what the writer wrote', async () => {
  const strings = fc.string({ unit: 'binary', maxLength: 30 })
  const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
  const i64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
  const dictionary = fc.dictionary(strings, strings)
  fc.assert(fc.property(strings, u64, i64, dictionary, (text, unsigned, signed, pairs) => {
    const map = new Map(Object.entries(pairs))
    const frame = new FrameWriter().string(text).u64(unsigned).i64(signed).map(map).u8(9).finish()
    const reader = new FrameReader(frame, 4, frame.length)
    return reader.string() === text && reader.u64() === unsigned && reader.i64() === signed &&
      JSON.stringify([...reader.map((from) => from.string())]) === JSON.stringify([...map]) &&
      reader.u8() === 9 && reader.remaining === 0
  }))
})

t.test('null strings and arrays are read as empty, unsafe integers as undefined', async (t) => {
  const bytes = Buffer.from('ffff' + 'ffffffff' + '001fffffffffffff' + '0020000000000000', 'hex')
  const reader = new FrameReader(bytes, 0, bytes.length)
  t.equal(reader.string(), '')
  t.same(reader.array(() => t.fail('nothing to read')), [])
  t.equal(reader.u64AsNumber(), 2 ** 53 - 1)
  t.equal(reader.u64AsNumber(), undefined)
})

t.test('every response code and every key has its own name', async (t) => {
  t.equal(new Set(Object.values(ResponseCode)).size, 21)
  t.equal(new Set(Object.values(CommandKey)).size, 31)
  t.equal(describeResponseCode(19), 'noOffset (19)')
  t.equal(describeResponseCode(99), 'unknown code (99)')
})

function sized (hex: string): string {
  return (hex.length / 2).toString(16).padStart(8, '0') + hex
}

function request<Arguments> (request: Request<Arguments, unknown>, args: Arguments): Buffer {
  return encodeRequest(request, 1, args)
}

function read<Answer> (request: Request<never, Answer>, hex: string): Answer {
  const bytes = Buffer.from(hex + 'ffff', 'hex') // newer brokers append fields
  return request.read(new FrameReader(bytes, 0, hex === '' ? 0 : bytes.length))
}
