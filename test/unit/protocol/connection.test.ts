import t from 'tap'
import type { Test } from 'tap'
import {
  type Chunk, type ConnectionClosedError, type ConnectionHandlers, type ConnectionOptions, type PublishingIds, PUBLISH_FRAME_OVERHEAD_BYTES
} from '../../../src/streams/protocol/index.ts'
import type { Connection } from '../../../src/streams/protocol/index.ts'
import { encodeChunk } from './encode-chunk.ts'
import { handlers, openConnection } from './open-connection.ts'
import { answerFrame, answerWith, frame, rawFrame, ScriptedBroker, tuneAnswer, type Answer } from './scripted-broker.ts'
import type { CommandName } from '../../../src/streams/protocol/index.ts'

interface Opened {
  readonly broker: ScriptedBroker
  readonly connection: Connection
  /** Settles when the handler `closed` is called. */
  readonly closed: Promise<ConnectionClosedError>
}

async function open (t: Test, answers: Partial<Record<CommandName, Answer>> = {}, some: Partial<ConnectionHandlers> = {}, options: Partial<ConnectionOptions> = {}): Promise<Opened> {
  const broker = await ScriptedBroker.start(t, answers)
  let tellClosed: (error: ConnectionClosedError) => void = () => {}
  const closed = new Promise<ConnectionClosedError>((resolve) => { tellClosed = resolve })
  const connection = await openConnection(t, broker.port, { handlers: handlers({ closed: tellClosed, ...some }), ...options })
  return { broker, connection, closed }
}

const confirm = (...ids: bigint[]): Buffer => frame('publishConfirm', (writer) => writer.u8(7).array(ids, (to, id) => to.u64(id)))

t.test('answers go to who asked, in whatever order they come', async (t) => {
  const { broker, connection } = await open(t)
  const asked = [connection.queryOffset('a', 's'), connection.queryOffset('b', 's'), connection.queryOffset('c', 's')] as const
  await broker.next('queryOffset')
  const ids = broker.received.filter(({ key }) => key === 11).map(({ correlationId }) => correlationId)
  t.equal(new Set(ids).size, 3)
  for (const [index, id] of [...ids.entries()].reverse()) broker.send(answerFrame('queryOffset', id, 1, (writer) => writer.u64(BigInt(index))))
  t.same(await Promise.all(asked), [0n, 1n, 2n])
})

t.test('an answer with another code rejects that request alone', async (t) => {
  const { connection } = await open(t, { queryOffset: answerWith('queryOffset', 19), deleteStream: answerWith('deleteStream', 1) })
  await t.rejects(connection.queryOffset('a', 's'), { name: 'ResponseError', responseCode: 19, command: 'queryOffset', message: /noOffset \(19\)/ })
  await connection.deleteStream('s')
  t.equal(connection.isOpen, true)
})

t.test('an error may carry more than its code, and an answer more than is known', async (t) => {
  const { connection } = await open(t, {
    queryPublisherSequence: ({ correlationId }, broker) => { broker.send(answerFrame('queryPublisherSequence', correlationId, 2, (writer) => writer.u64(0n))) },
    queryOffset: ({ correlationId }, broker) => { broker.send(answerFrame('queryOffset', correlationId, 1, (writer) => writer.u64(9n).string('from the future'))) }
  })
  await t.rejects(connection.queryPublisherSequence('a', 's'), { name: 'ResponseError', responseCode: 2 })
  t.equal(await connection.queryOffset('a', 's'), 9n)
})

t.test('a request without an answer ends at its deadline, and a late answer disturbs nobody', async (t) => {
  const { broker, connection } = await open(t, {}, {}, { requestTimeoutMs: 30 })
  const asked = broker.next('queryOffset')
  await t.rejects(connection.queryOffset('a', 's'), { name: 'RequestTimeoutError', command: 'queryOffset' })
  const late = answerFrame('queryOffset', (await asked).correlationId, 1, (writer) => writer.u64(1n))
  const next = broker.next('queryOffset')
  const second = connection.queryOffset('b', 's')
  broker.send(late, answerFrame('queryOffset', (await next).correlationId, 1, (writer) => writer.u64(2n)))
  t.equal(await second, 2n)
})

t.test('an answer that came in time counts, also when this process was too busy to read it', async (t) => {
  const { broker, connection } = await open(t, {}, {}, { requestTimeoutMs: 30 })
  const asked = broker.next('queryOffset')
  const offset = connection.queryOffset('a', 's')
  broker.send(answerFrame('queryOffset', (await asked).correlationId, 1, (writer) => writer.u64(1n)))
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60) // holds up the event loop
  t.equal(await offset, 1n)
})

t.test('a socket that dies rejects everything that waits, once, with the reason', async (t) => {
  let closings = 0
  const { broker, connection } = await open(t, {}, { closed () { closings++ } })
  const asked = broker.next('createStream')
  const waiting = [connection.queryOffset('a', 's'), connection.metadata(['s']), connection.createStream('s', new Map())]
  await asked
  broker.socket.resetAndDestroy()
  for (const { status, reason } of (await Promise.allSettled(waiting)).map((result) => ({ reason: undefined, ...result }))) {
    t.equal(status, 'rejected')
    t.match(reason, { name: 'ConnectionClosedError', closedBy: 'fault', message: /ECONNRESET/, cause: { code: 'ECONNRESET' } })
  }
  t.equal(connection.isOpen, false)
  await t.rejects(connection.queryOffset('a', 's'), { name: 'ConnectionClosedError', closedBy: 'fault' })
  t.throws(() => { connection.publish(0, 1, [Buffer.alloc(12)]) }, { name: 'ConnectionClosedError' })
  connection.credit(0, 1) // nobody would answer these either way
  connection.storeOffset('a', 's', 1n)
  await connection.close()
  t.equal(closings, 1)
})

t.test('a broker that ends the socket without a word is a peer that closed', async (t) => {
  const { broker, closed } = await open(t)
  broker.socket.end()
  t.match(await closed, { closedBy: 'peer', responseCode: undefined })
})

t.test("the broker's Close is answered and ends the connection with its code", async (t) => {
  const { broker, connection, closed } = await open(t)
  const pending = connection.queryOffset('a', 's').catch((error: unknown) => error)
  const answer = broker.next('close')
  broker.send(frame('close', (writer) => writer.u32(77).u16(14).string('frame too large')))
  const { bytes } = await answer
  t.same(bytes, Buffer.from('8016' + '0001' + '0000004d' + '0001', 'hex'))
  t.match(await closed, { closedBy: 'peer', responseCode: 14, message: /frameTooLarge \(14\): frame too large/ })
  t.equal(await pending, await closed)
})

t.test('close says goodbye, lets requests under way be answered, and is done when the socket is', async (t) => {
  let confirmed = 0
  const { broker, connection, closed } = await open(t, {
    queryOffset: ({ correlationId }, broker) => { broker.send(answerFrame('queryOffset', correlationId, 1, (writer) => writer.u64(3n))) },
    close: ({ correlationId }, broker) => { broker.send(confirm(1n), answerFrame('close', correlationId)) }
  }, { confirmed () { confirmed++ } })
  const goodbye = broker.next('close')
  const offset = connection.queryOffset('a', 's')
  const closing = connection.close('done here')
  const closingAgain = connection.close()
  t.equal(connection.isOpen, false)
  await t.rejects(connection.queryOffset('a', 's'), { name: 'ConnectionClosedError', closedBy: 'us' })
  t.equal(await offset, 3n)
  await Promise.all([closing, closingAgain])
  t.equal(confirmed, 1)
  const { reader } = await goodbye
  t.same([reader.u16(), reader.string()], [1, 'done here'])
  t.match(await closed, { closedBy: 'us', message: /done here/ })
  await connection.close()
})

t.test('close does not wait for ever for an answer', async (t) => {
  const { connection, closed } = await open(t, { close () {} }, {}, { requestTimeoutMs: 30 })
  await connection.close()
  t.match(await closed, { closedBy: 'us' })
})

t.test('a socket that breaks while it is being closed is closed by us', async (t) => {
  const { connection, closed } = await open(t, { close: (_, broker) => { broker.socket.resetAndDestroy() } })
  await connection.close()
  t.match(await closed, { closedBy: 'us' })
})

t.test('destroy ends at once and hands its error to all who wait', async (t) => {
  const { connection, closed } = await open(t)
  const cause = new Error('enough')
  const pending = connection.queryOffset('a', 's').catch((error: unknown) => error)
  connection.destroy(cause)
  connection.destroy()
  t.match(await closed, { closedBy: 'us', cause })
  t.equal(await pending, await closed)
  await connection.close()
})

t.test('confirms and errors reach their handlers in order, each publisher by its id', async (t) => {
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

t.test('deliveries of both versions reach their subscription with what the broker has committed', async (t) => {
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
  const v2 = (committed: bigint): Buffer => rawFrame('0008' + '0002' + '02' + committed.toString(16).padStart(16, '0'), chunk)
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
  broker.send(frame('metadataUpdate', (writer) => writer.u16(6).string('orders')), Buffer.from('00000007' + '8009' + '0001' + '0004' + '63', 'hex'))
  await last
  t.same(seen, [[6, 'orders'], [99, 4]])
})

t.test('a consumer update is answered with what the handler says, or with nothing special', async (t) => {
  const update = (active: number): Buffer => frame('consumerUpdate', (writer) => writer.u32(5).u8(3).u8(active))
  const start = '801a' + '0001' + '00000005' + '0001'
  const silent = await open(t)
  const first = silent.broker.next('consumerUpdate')
  silent.broker.send(update(1))
  t.equal((await first).bytes.toString('hex'), start + '0000')

  const { broker } = await open(t, {}, {
    consumerUpdated: (subscriptionId, isActive) => isActive ? { type: 'offset', offset: subscriptionId } : undefined
  })
  const second = broker.next('consumerUpdate')
  broker.send(update(1))
  t.equal((await second).bytes.toString('hex'), start + '0004' + '0000000000000003')
  const third = broker.next('consumerUpdate')
  broker.send(update(0))
  t.equal((await third).bytes.toString('hex'), start + '0000')
})

t.test('what is no frame of this protocol ends the connection and nothing else', async (t) => {
  const cases: Array<[string, Buffer, RegExp]> = [
    ['an unknown command', frame('route'), /route in version 1, which is not understood/],
    ['a command nobody has heard of', Buffer.from('00000004' + '00ff' + '0001', 'hex'), /command 255 in version 1/],
    ['a newer version', frame('publishConfirm', (writer) => writer.u8(0).u32(0), 2), /publishConfirm in version 2/],
    ['a version of 0', frame('deliver', () => {}, 0), /deliver in version 0/],
    ['a confirm of more than there is', frame('publishConfirm', (writer) => writer.u8(0).u32(1_000_000)), /confirm of 1000000 messages in 0 bytes/],
    ['a confirm of an id that nobody sends', confirm(9007199254740992n), /above 2\^53 - 1/],
    ['a string that is longer than the frame', frame('metadataUpdate', (writer) => writer.u16(6).u16(50)), /ends 50 bytes too early/],
    ['a negative length', frame('metadataUpdate', (writer) => writer.u16(6).u16(0x8000)), /length of -32768/],
    ['a frame without a command', Buffer.from('0000000100', 'hex'), /1 bytes has no room/],
    ['a frame that is too large', Buffer.from('ffffffff0008', 'hex'), /4294967295 bytes/]
  ]
  for (const [what, bytes, message] of cases) {
    const { broker, connection, closed } = await open(t)
    const pending = connection.queryOffset('a', 's').catch((error: unknown) => error)
    broker.send(bytes)
    t.match(await closed, { closedBy: 'fault', message, cause: { name: 'MalformedFrameError' } }, what)
    t.equal(await pending, await closed)
  }
})

t.test('an answer of another kind than the request ends the connection', async (t) => {
  const { connection } = await open(t, { queryOffset: ({ correlationId }, broker) => { broker.send(answerFrame('deleteStream', correlationId)) } })
  await t.rejects(connection.queryOffset('a', 's'), { closedBy: 'fault', message: /deleteStream answers a request that was queryOffset/ })
})

t.test('an answer that is too short ends the connection', async (t) => {
  const { connection } = await open(t, { queryOffset: answerWith('queryOffset', 1) })
  await t.rejects(connection.queryOffset('a', 's'), { closedBy: 'fault', message: /ends 8 bytes too early/ })
})

t.test('a damaged chunk is told to its subscription, or else ends the connection', async (t) => {
  const chunk = encodeChunk({ entries: [{ body: Buffer.from('abc') }] })
  chunk.writeUInt8(0x7a, chunk.length - 1)
  const delivery = rawFrame('0008' + '0001' + '04', chunk)
  const strict = await open(t)
  strict.broker.send(delivery)
  t.match(await strict.closed, { closedBy: 'fault', cause: { name: 'ChunkError' } })

  let tell: (value: unknown[]) => void = () => {}
  const failed = new Promise<unknown[]>((resolve) => { tell = resolve })
  const { broker, connection } = await open(t, { queryOffset: answerWith('queryOffset', 19) }, { deliveryFailed (...args) { tell(args) } })
  broker.send(delivery)
  t.match(await failed, [4, { name: 'ChunkError', message: /checksum/ }])
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

t.test('nothing is handed on after the end, also not what lay in the same read', async (t) => {
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

t.test('a publish frame is its header and the entries as they are', async (t) => {
  const { broker, connection } = await open(t)
  const sent = broker.next('publish')
  connection.publish(200, 2, [Buffer.from('0000000000000001' + '00000001' + '61', 'hex'), Buffer.from('0000000000000002' + '0000', 'hex'), Buffer.from('0000', 'hex')])
  t.equal((await sent).bytes.toString('hex'), '0002' + '0001' + 'c8' + '00000002' + '0000000000000001' + '00000001' + '61' + '0000000000000002' + '00000000')
})

t.test('a frame that the broker would refuse for its size is not sent', async (t) => {
  const { broker, connection } = await open(t, { saslAuthenticate: tuneAnswer(1000, 0) })
  t.throws(() => { connection.publish(0, 1, [Buffer.alloc(1000 - PUBLISH_FRAME_OVERHEAD_BYTES + 1)]) }, { name: 'RangeError' })
  await t.rejects(connection.metadata(['s'.repeat(1000)]), { name: 'RangeError' })
  const sent = broker.next('publish')
  connection.publish(0, 1, [Buffer.alloc(1000 - PUBLISH_FRAME_OVERHEAD_BYTES)])
  t.equal((await sent).bytes.length, 1000)
})

t.test('what the protocol cannot express is refused before it is sent', async (t) => {
  const { connection } = await open(t, { queryOffset: answerWith('queryOffset', 19) })
  const long = 'x'.repeat(32_768)
  await t.rejects(connection.createStream(long, new Map()), { name: 'RangeError' })
  await t.rejects(connection.createStream('s', new Map([['k', long]])), { name: 'RangeError' })
  await t.rejects(connection.declarePublisher(256, '', 's'), { name: 'RangeError' })
  await t.rejects(connection.subscribe(0, 's', { type: 'offset', offset: -1 }, 1, new Map()), { name: 'RangeError' })
  await t.rejects(connection.subscribe(0, 's', { type: 'offset', offset: 1.5 }, 1, new Map()), { name: 'RangeError' })
  await t.rejects(connection.subscribe(0, 's', { type: 'first' }, 65_536, new Map()), { name: 'RangeError' })
  t.throws(() => { connection.storeOffset('r', 's', 2n ** 64n) }, { name: 'RangeError' })
  await t.rejects(connection.queryOffset('a', 's'), { responseCode: 19, message: /19/ }, 'and the connection goes on')
})

t.test('a peer that reads nothing is seen by what waits to be written, and its return is told', async (t) => {
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

t.test('an idle connection sends heartbeats and takes those of the broker', async (t) => {
  const { broker, connection } = await open(t, { saslAuthenticate: tuneAnswer(1_048_576, 1) })
  for (let beats = 0; beats < 2; beats++) {
    const { bytes } = await broker.next('heartbeat')
    t.equal(bytes.toString('hex'), '00170001')
    broker.send(frame('heartbeat'))
  }
  t.equal(connection.isOpen, true)
})

t.test('a broker that is silent for two intervals is gone', async (t) => {
  const { connection, closed } = await open(t, { saslAuthenticate: tuneAnswer(1_048_576, 1) })
  const pending = connection.queryOffset('a', 's').catch((error: unknown) => error)
  t.match(await closed, { closedBy: 'fault', message: /two heartbeat intervals of 1 s/ })
  t.equal(await pending, await closed)
})
