import t from 'tap'
import { PUBLISH_FRAME_OVERHEAD_BYTES } from '../../../src/streams/protocol/index.ts'
import { answerFrame, answerWith, tuneAnswer } from './scripted-broker.ts'
import { open } from './scripted-connection.ts'

t.test('each answer reaches its request, in whatever order the answers come', async (t) => {
  const { broker, connection } = await open(t)
  const asked = [
    connection.queryOffset('a', 's'), connection.queryOffset('b', 's'), connection.queryOffset('c', 's')
  ] as const
  await broker.next('queryOffset')
  const ids = broker.received.filter(({ key }) => key === 11).map(({ correlationId }) => correlationId)
  t.equal(new Set(ids).size, 3)
  for (const [index, id] of [...ids.entries()].reverse()) {
    broker.send(answerFrame('queryOffset', id, 1, (writer) => writer.u64(BigInt(index))))
  }
  t.same(await Promise.all(asked), [0n, 1n, 2n])
})

t.test('an answer with an error code rejects its request alone', async (t) => {
  const { connection } = await open(t, {
    queryOffset: answerWith('queryOffset', 19),
    deleteStream: answerWith('deleteStream', 1)
  })
  await t.rejects(connection.queryOffset('a', 's'), {
    name: 'ResponseError',
    responseCode: 19,
    command: 'queryOffset',
    message: /noOffset \(19\)/
  })
  await connection.deleteStream('s')
  t.equal(connection.isOpen, true)
})

t.test('an error may have bytes after its code, and an answer may have unknown fields', async (t) => {
  const { connection } = await open(t, {
    queryPublisherSequence: ({ correlationId }, broker) => {
      broker.send(answerFrame('queryPublisherSequence', correlationId, 2, (writer) => writer.u64(0n)))
    },
    queryOffset: ({ correlationId }, broker) => {
      broker.send(answerFrame('queryOffset', correlationId, 1, (writer) => writer.u64(9n).string('from the future')))
    }
  })
  await t.rejects(connection.queryPublisherSequence('a', 's'), { name: 'ResponseError', responseCode: 2 })
  t.equal(await connection.queryOffset('a', 's'), 9n)
})

t.test('a request without an answer ends at its deadline, and a late answer is dropped', async (t) => {
  const { broker, connection } = await open(t, {}, {}, { requestTimeoutMs: 30 })
  const asked = broker.next('queryOffset')
  await t.rejects(connection.queryOffset('a', 's'), { name: 'RequestTimeoutError', command: 'queryOffset' })
  const late = answerFrame('queryOffset', (await asked).correlationId, 1, (writer) => writer.u64(1n))
  const next = broker.next('queryOffset')
  const second = connection.queryOffset('b', 's')
  broker.send(late, answerFrame('queryOffset', (await next).correlationId, 1, (writer) => writer.u64(2n)))
  t.equal(await second, 2n)
})

t.test('an answer that came in time counts, even when this process was too busy to read it', async (t) => {
  const { broker, connection } = await open(t, {}, {}, { requestTimeoutMs: 30 })
  const asked = broker.next('queryOffset')
  const offset = connection.queryOffset('a', 's')
  broker.send(answerFrame('queryOffset', (await asked).correlationId, 1, (writer) => writer.u64(1n)))
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60) // holds up the event loop
  t.equal(await offset, 1n)
})

t.test('an answer to another command than the requested one ends the connection', async (t) => {
  const { connection } = await open(t, {
    queryOffset: ({ correlationId }, broker) => { broker.send(answerFrame('deleteStream', correlationId)) }
  })
  await t.rejects(connection.queryOffset('a', 's'), {
    closedBy: 'fault',
    cause: { message: /deleteStream answers a request that was queryOffset/ }
  })
})

t.test('an answer that is too short ends the connection', async (t) => {
  const { connection } = await open(t, { queryOffset: answerWith('queryOffset', 1) })
  await t.rejects(connection.queryOffset('a', 's'), {
    closedBy: 'fault',
    cause: { message: /ends 8 bytes too early/ }
  })
})

t.test('a publish frame is its header and the unchanged entries', async (t) => {
  const { broker, connection } = await open(t)
  const sent = broker.next('publish')
  connection.publish(200, 2, [
    Buffer.from('0000000000000001' + '00000001' + '61', 'hex'),
    Buffer.from('0000000000000002' + '0000', 'hex'),
    Buffer.from('0000', 'hex')
  ])
  const header = '0002' + '0001' + 'c8' + '00000002'
  const entries = '0000000000000001' + '00000001' + '61' + '0000000000000002' + '00000000'
  t.equal((await sent).bytes.toString('hex'), header + entries)
})

t.test('a frame that the broker would refuse for its size is not sent', async (t) => {
  const { broker, connection } = await open(t, { saslAuthenticate: tuneAnswer(1000, 0) })
  const tooLarge = [Buffer.alloc(1000 - PUBLISH_FRAME_OVERHEAD_BYTES + 1)]
  t.throws(() => { connection.publish(0, 1, tooLarge) }, { name: 'RangeError' })
  await t.rejects(connection.metadata(['s'.repeat(1000)]), { name: 'RangeError' })
  const sent = broker.next('publish')
  connection.publish(0, 1, [Buffer.alloc(1000 - PUBLISH_FRAME_OVERHEAD_BYTES)])
  t.equal((await sent).bytes.length, 1000)
})

t.test('arguments that the protocol cannot express are refused before anything is sent', async (t) => {
  const { connection } = await open(t, { queryOffset: answerWith('queryOffset', 19) })
  const long = 'x'.repeat(32_768)
  await t.rejects(connection.createStream(long, new Map()), { name: 'RangeError' })
  await t.rejects(connection.createStream('s', new Map([['k', long]])), { name: 'RangeError' })
  await t.rejects(connection.declarePublisher(256, '', 's'), { name: 'RangeError' })
  await t.rejects(connection.subscribe(0, 's', { type: 'offset', offset: -1 }, 1, new Map()), { name: 'RangeError' })
  await t.rejects(connection.subscribe(0, 's', { type: 'offset', offset: 1.5 }, 1, new Map()), { name: 'RangeError' })
  await t.rejects(connection.subscribe(0, 's', { type: 'first' }, 65_536, new Map()), { name: 'RangeError' })
  t.throws(() => { connection.storeOffset('r', 's', 2n ** 64n) }, { name: 'RangeError' })
  await t.rejects(connection.queryOffset('a', 's'), { responseCode: 19, message: /19/ }, 'the connection stays open')
})
