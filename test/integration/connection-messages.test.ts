import t from 'tap'
import { gzipSync } from 'node:zlib'
import { type Chunk, type EntryCursor, expandSubBatch, ResponseCode } from '../../src/streams/protocol/index.ts'
import { uniqueName } from '../support/broker.ts'
import { createStream, entry, none, open, publish } from './open-connection.ts'

t.test('what is published is confirmed and delivered, with its ids and offsets', async (t) => {
  const opened = await open(t)
  const { connection, confirms, chunks } = opened
  const stream = await createStream(t, connection)
  await connection.declarePublisher(255, '', stream)
  connection.publish(255, 3, [entry(1, 'a'), Buffer.concat([entry(2, ''), entry(2 ** 53 - 1, 'c')])])
  // A broker that is busy may store one frame in several chunks, and confirm each.
  const confirmed: number[] = []
  while (confirmed.length < 3) {
    const { publisherId, ids } = await confirms.take()
    t.equal(publisherId, 255)
    confirmed.push(...ids)
  }
  t.same(confirmed.sort((one, other) => one - other), [1, 2, 2 ** 53 - 1])
  await connection.subscribe(254, stream, { type: 'first' }, 10, new Map([['name', 'test']]))
  const delivered: Array<ReturnType<typeof bodies>[number]> = []
  while (delivered.length < 3) {
    const { subscriptionId, chunk, committedChunkId } = await chunks.take()
    t.equal(subscriptionId, 254)
    t.type(committedChunkId, 'number')
    t.ok(Math.abs(Date.now() - chunk.timestamp) < 60_000)
    delivered.push(...bodies(chunk))
  }
  t.same(delivered, [[0, 'a'], [1, ''], [2, 'c']])
  await connection.deletePublisher(255)
  await t.rejects(connection.deletePublisher(255), { responseCode: ResponseCode.publisherDoesNotExist, message: /./ })
})

t.test('a message of a publisher that does not exist is refused with its id', async (t) => {
  const { connection, failures } = await open(t)
  connection.publish(17, 2, [entry(5, 'lost'), entry(6, 'lost')])
  t.same(await failures.take(), { publisherId: 17, publishingId: 5, responseCode: ResponseCode.publisherDoesNotExist })
  t.same(await failures.take(), { publisherId: 17, publishingId: 6, responseCode: ResponseCode.publisherDoesNotExist })
})

t.test('a credit is a chunk', async (t) => {
  const opened = await open(t)
  const { connection, chunks } = opened
  const stream = await createStream(t, connection)
  await connection.declarePublisher(0, '', stream)
  for (let index = 0; index < 3; index++) {
    connection.publish(0, 1, [entry(index, `message ${index}`)])
    await opened.confirms.take() // so that each is a chunk of its own
  }
  await connection.subscribe(1, stream, { type: 'first' }, 1, none)
  t.same(bodies((await chunks.take()).chunk), [[0, 'message 0']])
  connection.credit(1, 1)
  t.same(bodies((await chunks.take()).chunk), [[1, 'message 1']])
  // What the broker sends before it answers arrives before its answer.
  let another = false
  const third = chunks.take().then(({ chunk }) => { another = true; return chunk })
  await connection.metadata([stream])
  t.equal(another, false, 'without credit no chunk comes')
  connection.credit(1, 1)
  t.same(bodies(await third), [[2, 'message 2']])
  await connection.unsubscribe(1)
  await t.rejects(connection.unsubscribe(1), { responseCode: ResponseCode.subscriptionIdDoesNotExist, message: /./ })
  connection.credit(1, 1)
  const refused = { subscriptionId: 1, responseCode: ResponseCode.subscriptionIdDoesNotExist }
  t.same(await opened.refusedCredits.take(), refused)
})

t.test('a subscription starts where it says', async (t) => {
  const opened = await open(t)
  const { connection, chunks } = opened
  const stream = await createStream(t, connection)
  await publish(opened, stream, 5)
  const missing = connection.subscribe(0, uniqueName('missing'), { type: 'first' }, 1, none)
  await t.rejects(missing, { responseCode: ResponseCode.streamDoesNotExist, message: /./ })
  const specs = [
    { type: 'first' },
    { type: 'last' },
    { type: 'offset', offset: 0 },
    { type: 'offset', offset: 0n },
    { type: 'timestamp', timestamp: Date.now() - 3_600_000 }
  ] as const
  for (const [id, spec] of specs.entries()) {
    await connection.subscribe(id, stream, spec, 1, none)
    t.equal((await chunks.take()).chunk.endOffset > 0, true, spec.type)
    await connection.unsubscribe(id)
  }
  await connection.subscribe(9, stream, { type: 'next' }, 1, none)
  await publish(opened, stream, 1, 1)
  t.same(bodies((await chunks.take()).chunk), [[5, 'message 0']])
  const again = connection.subscribe(9, stream, { type: 'next' }, 1, none)
  await t.rejects(again, { responseCode: ResponseCode.subscriptionIdAlreadyExists, message: /./ })
})

t.test('sub-entry batches are stored as they are and come back as one entry', async (t) => {
  const { connection, confirms, chunks } = await open(t)
  const stream = await createStream(t, connection)
  await connection.declarePublisher(0, '', stream)
  const records = Buffer.from('00000001' + '61' + '00000002' + '6262', 'hex')
  const body = gzipSync(records)
  const header = Buffer.alloc(19)
  header.writeBigUInt64BE(1n, 0)
  header.writeUInt8(0x90, 8)
  header.writeUInt16BE(2, 9)
  header.writeUInt32BE(records.length, 11)
  header.writeUInt32BE(body.length, 15)
  connection.publish(0, 2, [header, body, entry(2, 'c')])
  for (let confirmed = 0; confirmed < 2;) confirmed += (await confirms.take()).ids.length
  await connection.subscribe(0, stream, { type: 'first' }, 5, none)
  const cursors: EntryCursor[] = []
  for (let records = 0; records < 3;) { // one chunk, or two when the broker is busy
    const { chunk } = await chunks.take()
    records += chunk.recordCount
    for (const cursor = chunk.entries(); cursor.next();) cursors.push(cursor.clone())
  }
  const [batch, simple] = cursors
  t.match(batch, { offset: 0, recordCount: 2, isSubBatch: true, compression: 1, uncompressedLength: records.length })
  t.same([...expandSubBatch(1, batch?.bytes() ?? Buffer.alloc(0), records.length, 2, 1000)].map(String), ['a', 'bb'])
  t.match(simple, { offset: 2, recordCount: 1, isSubBatch: false })
})

t.test('a chunk that is larger than any read of the socket comes whole', async (t) => {
  const { connection, confirms, chunks } = await open(t)
  const stream = await createStream(t, connection)
  await connection.declarePublisher(0, '', stream)
  const large = Array.from({ length: 4 }, (_, index) => Buffer.alloc(1_000_000, index + 1))
  for (const [id, body] of large.entries()) connection.publish(0, 1, [entry(id, body)])
  for (let confirmed = 0; confirmed < 4;) confirmed += (await confirms.take()).ids.length
  await connection.subscribe(0, stream, { type: 'first' }, 10, none)
  const seen: Buffer[] = []
  while (seen.length < 4) {
    const { chunk } = await chunks.take()
    for (const cursor = chunk.entries(); cursor.next();) seen.push(cursor.bytes())
  }
  t.ok(seen.every((body, index) => large[index]?.equals(body)))
})

t.test('the broker tells the connections that use a stream when it is deleted', async (t) => {
  const opened = await open(t)
  const stream = await createStream(t, opened.connection)
  await publish(opened, stream, 1)
  await (await open(t)).connection.deleteStream(stream)
  t.same(await opened.metadataUpdates.take(), { responseCode: ResponseCode.streamNotAvailable, stream })
  opened.connection.publish(0, 1, [entry(9, 'late')])
  t.match(await opened.failures.take(), { publishingId: 9, responseCode: ResponseCode.publisherDoesNotExist })
})

function bodies (chunk: Chunk): Array<[offset: number, body: string]> {
  const seen: Array<[number, string]> = []
  for (const cursor = chunk.entries(); cursor.next();) seen.push([cursor.offset, cursor.bytes().toString()])
  return seen
}
