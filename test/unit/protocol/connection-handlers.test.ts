import t from 'tap'
import { CommandKey } from '../../../src/streams/protocol/index.ts'
import type { AnswerUpdate, Chunk, ConnectionHandlers, PublishingIds } from '../../../src/streams/protocol/index.ts'
import { encodeChunk } from './encode-chunk.ts'
import { answerWith, frame, rawFrame } from './scripted-broker.ts'
import { confirm, open } from './scripted-connection.ts'
import { exactly } from '../../support/exactly.ts'
import { until } from '../../support/until.ts'

t.test('confirms and publish errors reach their handlers in order, with the id of the publisher', async (t) => {
  const seen: unknown[] = []
  let done: () => void = () => {}
  const last = new Promise<void>((resolve) => { done = resolve })
  const { broker } = await open(t, {}, {
    confirmed (publisherId: number, ids: PublishingIds) {
      seen.push([publisherId, Array.from({ length: ids.length }, (_, index) => ids.at(index))])
      t.throws(() => ids.at(ids.length), { name: 'RangeError' })
    },
    publishFailed (publisherId, publishingId, responseCode) {
      seen.push([publisherId, publishingId, responseCode])
      if (publishingId === 6) done()
    }
  })
  const failures = [[5n, 18], [6n, 17]] as const
  broker.send(
    confirm(0n, 1n, 9007199254740991n),
    confirm(),
    frame('publishError', (writer) => writer.u8(9).array(failures, (to, [id, code]) => to.u64(id).u16(code)))
  )
  await last
  t.same(seen, [[7, [0, 1, 9007199254740991]], [7, []], [9, 5, 18], [9, 6, 17]])
})

t.test('deliveries of both versions reach the handler with the committed chunk id', async (t) => {
  const seen: unknown[] = []
  let done: () => void = () => {}
  const last = new Promise<void>((resolve) => { done = resolve })
  const { broker } = await open(t, {}, {
    delivered (subscriptionId: number, chunk: Chunk, committedChunkId) {
      seen.push([subscriptionId, chunk.firstOffset, chunk.recordCount, committedChunkId])
      if (seen.length === 4) done()
    }
  })
  const chunk = encodeChunk({ firstOffset: 40n, entries: [{ body: Buffer.from('a') }, { body: Buffer.from('b') }] })
  const v2 = (committed: bigint): Buffer =>
    rawFrame('0008' + '0002' + '02' + committed.toString(16).padStart(16, '0'), chunk)
  broker.send(rawFrame('0008' + '0001' + '01', chunk), v2(123n), v2(2n ** 64n - 1n), v2(2n ** 53n))
  await last
  t.same(seen, [[1, 40, 2, undefined], [2, 40, 2, 123], [2, 40, 2, undefined], [2, 40, 2, undefined]])
})

t.test('metadata updates and refused credit reach their handlers', async (t) => {
  const seen: unknown[] = []
  let done: () => void = () => {}
  const last = new Promise<void>((resolve) => { done = resolve })
  const { broker } = await open(t, {}, {
    metadataUpdated (...args) { seen.push(args) },
    creditRefused (...args) { seen.push(args); done() }
  })
  broker.send(
    frame('metadataUpdate', (writer) => writer.u16(6).string('orders')),
    Buffer.from('00000007' + '8009' + '0001' + '0004' + '63', 'hex')
  )
  await last
  t.same(seen, [[6, 'orders'], [99, 4]])
})

t.test('a consumer update is answered with the offset of the handler, or without an offset', async (t) => {
  const update = (active: number): Buffer => frame('consumerUpdate', (writer) => writer.u32(5).u8(3).u8(active))
  const start = '801a' + '0001' + '00000005' + '0001'
  const silent = await open(t)
  const first = silent.broker.next('consumerUpdate')
  silent.broker.send(update(1))
  t.equal((await first).bytes.toString('hex'), start + '0000')

  const { broker } = await open(t, {}, {
    consumerUpdated: (subscriptionId, isActive, answer) => {
      if (isActive) answer({ type: 'offset', offset: subscriptionId })
      else answer()
    }
  })
  const second = broker.next('consumerUpdate')
  broker.send(update(1))
  t.equal((await second).bytes.toString('hex'), start + '0004' + '0000000000000003')
  const third = broker.next('consumerUpdate')
  broker.send(update(0))
  t.equal((await third).bytes.toString('hex'), start + '0000')
})

t.test('a consumer update is answered once, as late as the handler likes', async (t) => {
  const update = (id: number): Buffer => frame('consumerUpdate', (writer) => writer.u32(id).u8(3).u8(1))
  const asked: AnswerUpdate[] = []
  let tell: () => void = () => {}
  const both = new Promise<void>((resolve) => { tell = resolve })
  const { broker, connection, closed } = await open(t, { queryOffset: answerWith('queryOffset', 19) }, {
    consumerUpdated (_subscriptionId, _isActive, answer) {
      if (asked.push(answer) === 2) tell()
    }
  })
  const answers = (): string[] => broker.received
    .filter(({ key }) => key === CommandKey.consumerUpdate)
    .map(({ bytes }) => bytes.toString('hex'))
  broker.send(update(6), update(7))
  await both
  await t.rejects(connection.queryOffset('a', 's'), { message: /19/ }, 'the connection goes on meanwhile')
  t.match(answers(), exactly())
  asked[0]?.({ type: 'next' })
  asked[0]?.({ type: 'first' })
  asked[1]?.()
  await t.rejects(connection.queryOffset('a', 's'), { message: /19/ })
  t.match(answers(), exactly('801a0001' + '00000006' + '0001' + '0003', '801a0001' + '00000007' + '0001' + '0000'))

  broker.send(update(8))
  await until('the third update is there', () => asked.length === 3)
  broker.socket.destroy()
  await closed
  t.doesNotThrow(() => asked[2]?.(), 'an answer to a connection that has ended')
})

t.test('a damaged chunk reaches deliveryFailed, and without that handler ends the connection', async (t) => {
  const chunk = encodeChunk({ entries: [{ body: Buffer.from('abc') }] })
  chunk.writeUInt8(0x7a, chunk.length - 1)
  const delivery = rawFrame('0008' + '0001' + '04', chunk)
  const strict = await open(t)
  strict.broker.send(delivery)
  t.match(await strict.closed, { closedBy: 'fault', cause: { name: 'ChunkError' } })

  let tell: (value: unknown[]) => void = () => {}
  const failed = new Promise<unknown[]>((resolve) => { tell = resolve })
  const answers = { queryOffset: answerWith('queryOffset', 19) }
  const { broker, connection } = await open(t, answers, { deliveryFailed (...args) { tell(args) } })
  broker.send(delivery)
  t.match(await failed, exactly(4, { name: 'ChunkError', message: /checksum/ }))
  await t.rejects(connection.queryOffset('a', 's'), { responseCode: 19, message: /19/ })
})

t.test('a handler that throws ends its connection and nothing else', async (t) => {
  const bug = new Error('a bug in a handler')
  const fail = (): never => { throw bug }
  const cases: Array<[Partial<ConnectionHandlers>, Buffer]> = [
    [{ confirmed: fail }, confirm(1n)],
    [{ metadataUpdated: fail }, frame('metadataUpdate', (writer) => writer.u16(6).string('s'))],
    [{ consumerUpdated: fail }, frame('consumerUpdate', (writer) => writer.u32(1).u8(0).u8(1))]
  ]
  for (const [some, bytes] of cases) {
    const { broker, closed } = await open(t, {}, some)
    broker.send(bytes)
    t.match(await closed, { closedBy: 'fault', cause: bug })
  }
  const { broker, connection } = await open(t, {}, { closed: fail })
  broker.socket.destroy()
  await t.rejects(connection.queryOffset('a', 's'), { name: 'ConnectionClosedError' })
})

t.test('no handler is called after the end, not even for frames of the same read', async (t) => {
  let confirms = 0
  const { broker, connection, closed } = await open(t, {}, {
    confirmed () {
      confirms++
      connection.destroy()
    }
  })
  broker.send(confirm(1n), confirm(2n))
  await closed
  await connection.close()
  t.equal(confirms, 1)
})

t.test('needsDrain and bufferedBytes show a peer that reads nothing, and drained reports its return', async (t) => {
  let tell: () => void = () => {}
  const drained = new Promise<void>((resolve) => { tell = resolve })
  const { broker, connection } = await open(t, {}, { drained () { tell() } })
  broker.socket.pause()
  const entries = [Buffer.alloc(1_000_000)]
  t.equal(connection.needsDrain, false)
  for (let frames = 0; frames < 40; frames++) connection.publish(0, 1, entries)
  t.equal(connection.needsDrain, true)
  t.ok(connection.bufferedBytes >= 30_000_000)
  broker.socket.resume()
  await drained
  t.equal(connection.needsDrain, false)
  t.equal(connection.bufferedBytes, 0)
})
