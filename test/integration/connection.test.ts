import t, { type Test } from 'tap'
import { connect, createServer, type Socket } from 'node:net'
import { once } from 'node:events'
import { gzipSync } from 'node:zlib'
import {
  type Chunk, Connection, type ConnectionClosedError, type ConnectionOptions, type EntryCursor, expandSubBatch, type PublishingIds, ResponseCode
} from '../../src/streams/protocol/index.ts'
import { openChannel } from '../../src/streams/protocol/handshake.ts'
import { handlers, optionsFromUrl } from '../unit/protocol/open-connection.ts'
import { testStreamUrl, uniqueName } from '../support/broker.ts'

const none = new Map<string, string>()

/** Hands out what arrives in the order it came, and waits for what has not. */
class Inbox<T> {
  readonly #items: T[] = []
  readonly #waiting: Array<(item: T) => void> = []

  put (item: T): void {
    const waiting = this.#waiting.shift()
    if (waiting === undefined) this.#items.push(item)
    else waiting(item)
  }

  async take (): Promise<T> {
    return this.#items.shift() ?? await new Promise((resolve) => { this.#waiting.push(resolve) })
  }
}

interface Opened {
  readonly connection: Connection
  readonly confirms: Inbox<{ publisherId: number, ids: number[] }>
  readonly failures: Inbox<{ publisherId: number, publishingId: number, responseCode: number }>
  readonly chunks: Inbox<{ subscriptionId: number, chunk: Chunk, committedChunkId: number | undefined }>
  readonly metadataUpdates: Inbox<{ responseCode: number, stream: string }>
  readonly refusedCredits: Inbox<{ subscriptionId: number, responseCode: number }>
  readonly closings: Inbox<ConnectionClosedError>
}

async function open (t: Test, options: Partial<ConnectionOptions> = {}): Promise<Opened> {
  const inboxes = { confirms: new Inbox<{ publisherId: number, ids: number[] }>(), failures: new Inbox<{ publisherId: number, publishingId: number, responseCode: number }>(), chunks: new Inbox<{ subscriptionId: number, chunk: Chunk, committedChunkId: number | undefined }>(), metadataUpdates: new Inbox<{ responseCode: number, stream: string }>(), refusedCredits: new Inbox<{ subscriptionId: number, responseCode: number }>(), closings: new Inbox<ConnectionClosedError>() }
  const connection = await Connection.open(optionsFromUrl(testStreamUrl(), {
    connectionName: t.name,
    handlers: handlers({
      confirmed: (publisherId, ids) => { inboxes.confirms.put({ publisherId, ids: toArray(ids) }) },
      publishFailed: (publisherId, publishingId, responseCode) => { inboxes.failures.put({ publisherId, publishingId, responseCode }) },
      delivered: (subscriptionId, chunk, committedChunkId) => { inboxes.chunks.put({ subscriptionId, chunk, committedChunkId }) },
      metadataUpdated: (responseCode, stream) => { inboxes.metadataUpdates.put({ responseCode, stream }) },
      creditRefused: (subscriptionId, responseCode) => { inboxes.refusedCredits.put({ subscriptionId, responseCode }) },
      closed: (error) => { inboxes.closings.put(error) }
    }),
    ...options
  }))
  t.teardown(async () => { await connection.close() })
  return { connection, ...inboxes }
}

/** A stream that is deleted with the test. */
async function createStream (t: Test, connection: Connection): Promise<string> {
  const stream = uniqueName('protocol')
  await connection.createStream(stream, none)
  t.teardown(async () => {
    const { connection } = await open(t)
    await connection.deleteStream(stream).catch(() => {}) // the test may have done it
  })
  return stream
}

function entry (publishingId: number, body: string | Buffer): Buffer {
  const bytes = Buffer.from(body)
  const header = Buffer.alloc(12)
  header.writeBigUInt64BE(BigInt(publishingId), 0)
  header.writeInt32BE(bytes.length, 8)
  return Buffer.concat([header, bytes])
}

function toArray (ids: PublishingIds): number[] {
  return Array.from({ length: ids.length }, (_, index) => ids.at(index))
}

function bodies (chunk: Chunk): Array<[offset: number, body: string]> {
  const seen: Array<[number, string]> = []
  for (const cursor = chunk.entries(); cursor.next();) seen.push([cursor.offset, cursor.bytes().toString()])
  return seen
}

async function publish (opened: Opened, stream: string, count: number, publisherId = 0): Promise<void> {
  await opened.connection.declarePublisher(publisherId, '', stream)
  opened.connection.publish(publisherId, count, Array.from({ length: count }, (_, index) => entry(index, `message ${index}`)))
  for (let confirmed = 0; confirmed < count;) confirmed += (await opened.confirms.take()).ids.length
}

t.test('an open connection knows the broker', async (t) => {
  const { connection } = await open(t, { frameMaxBytes: 500_000 })
  t.match(connection.brokerVersion, /^\d+\.\d+\.\d+/)
  t.equal(connection.peerProperties.get('product'), 'RabbitMQ')
  t.equal(connection.frameMaxBytes, 500_000)
  t.ok(connection.supports('publish', 2))
  t.ok(connection.supports('streamStats'))
  t.type(connection.advertisedHost, 'string')
  t.ok(Number.isInteger(connection.advertisedPort))
})

t.test('a wrong password is an authentication error, three seconds later', async (t) => {
  const options = optionsFromUrl(testStreamUrl(), { authentication: { mechanism: 'PLAIN', username: 'guest', password: 'wrong' } })
  await t.rejects(Connection.open(options), { name: 'AuthenticationError', responseCode: ResponseCode.authenticationFailure })
})

t.test('a virtual host that does not exist is an authentication error', async (t) => {
  const options = optionsFromUrl(testStreamUrl(), { virtualHost: uniqueName('nowhere') })
  await t.rejects(Connection.open(options), { name: 'AuthenticationError', responseCode: ResponseCode.virtualHostAccessFailure })
})

t.test('a mechanism that the broker does not offer is an authentication error', async (t) => {
  const options = optionsFromUrl(testStreamUrl(), { authentication: { mechanism: 'EXTERNAL' } })
  await t.rejects(Connection.open(options), { name: 'AuthenticationError', responseCode: ResponseCode.saslMechanismNotSupported })
})

t.test('a stream is created, found and deleted', async (t) => {
  const { connection } = await open(t)
  const stream = uniqueName('protocol')
  await connection.createStream(stream, new Map([['max-length-bytes', '1000000'], ['stream-max-segment-size-bytes', '500000']]))
  await t.rejects(connection.createStream(stream, new Map([['max-length-bytes', '1000000'], ['stream-max-segment-size-bytes', '500000']])), { responseCode: ResponseCode.streamAlreadyExists, command: 'createStream', message: /./ })
  const missing = uniqueName('missing')
  const metadata = await connection.metadata([stream, missing])
  const found = metadata.find((entry) => entry.stream === stream)
  t.equal(found?.responseCode, ResponseCode.ok)
  t.same(found?.leader, { host: connection.advertisedHost, port: connection.advertisedPort })
  t.same(found?.replicas, [])
  t.match(metadata.find((entry) => entry.stream === missing), { responseCode: ResponseCode.streamDoesNotExist, leader: undefined })
  await connection.deleteStream(stream)
  await t.rejects(connection.deleteStream(stream), { responseCode: ResponseCode.streamDoesNotExist, message: /./ })
})

t.test('what is published is confirmed and delivered, with its ids and offsets', async (t) => {
  const opened = await open(t)
  const { connection, confirms, chunks } = opened
  const stream = await createStream(t, connection)
  await connection.declarePublisher(255, '', stream)
  connection.publish(255, 3, [entry(1, 'a'), Buffer.concat([entry(2, ''), entry(2 ** 53 - 1, 'c')])])
  const { publisherId, ids } = await confirms.take()
  t.equal(publisherId, 255)
  t.same(ids.sort((one, other) => one - other), [1, 2, 2 ** 53 - 1])
  await connection.subscribe(254, stream, { type: 'first' }, 10, new Map([['name', 'test']]))
  const { subscriptionId, chunk, committedChunkId } = await chunks.take()
  t.equal(subscriptionId, 254)
  t.same(bodies(chunk), [[0, 'a'], [1, ''], [2, 'c']])
  t.type(committedChunkId, 'number')
  t.ok(Math.abs(Date.now() - chunk.timestamp) < 60_000)
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
  // What the broker has to say before it answers comes before its answer.
  let another = false
  const third = chunks.take().then(({ chunk }) => { another = true; return chunk })
  await connection.metadata([stream])
  t.equal(another, false, 'without credit nothing comes')
  connection.credit(1, 1)
  t.same(bodies(await third), [[2, 'message 2']])
  await connection.unsubscribe(1)
  await t.rejects(connection.unsubscribe(1), { responseCode: ResponseCode.subscriptionIdDoesNotExist, message: /./ })
  connection.credit(1, 1)
  t.same(await opened.refusedCredits.take(), { subscriptionId: 1, responseCode: ResponseCode.subscriptionIdDoesNotExist })
})

t.test('a subscription starts where it says', async (t) => {
  const opened = await open(t)
  const { connection, chunks } = opened
  const stream = await createStream(t, connection)
  await publish(opened, stream, 5)
  await t.rejects(connection.subscribe(0, uniqueName('missing'), { type: 'first' }, 1, none), { responseCode: ResponseCode.streamDoesNotExist, message: /./ })
  const specs = [{ type: 'first' }, { type: 'last' }, { type: 'offset', offset: 0 }, { type: 'offset', offset: 0n }, { type: 'timestamp', timestamp: Date.now() - 3_600_000 }] as const
  for (const [id, spec] of specs.entries()) {
    await connection.subscribe(id, stream, spec, 1, none)
    t.equal((await chunks.take()).chunk.endOffset > 0, true, spec.type)
    await connection.unsubscribe(id)
  }
  await connection.subscribe(9, stream, { type: 'next' }, 1, none)
  await publish(opened, stream, 1, 1)
  t.same(bodies((await chunks.take()).chunk), [[5, 'message 0']])
  await t.rejects(connection.subscribe(9, stream, { type: 'next' }, 1, none), { responseCode: ResponseCode.subscriptionIdAlreadyExists, message: /./ })
})

t.test('a stored offset reads back on the same connection, whatever it is', async (t) => {
  const { connection } = await open(t)
  const stream = await createStream(t, connection)
  await t.rejects(connection.queryOffset('someone', stream), { responseCode: ResponseCode.noOffset, message: /./ })
  for (const offset of [10n, 5n, 0n, 2n ** 63n, 2n ** 64n - 1n]) t.equal(await connection.storeAndQueryOffset('someone', stream, offset), offset)
  connection.storeOffset('someone else', stream, 7n)
  t.equal(await connection.queryOffset('someone else', stream), 7n)
  t.equal(await connection.queryOffset('someone', stream), 2n ** 64n - 1n)
})

t.test('the broker remembers the last publishing id of a reference', async (t) => {
  const { connection, confirms } = await open(t)
  const stream = await createStream(t, connection)
  await connection.declarePublisher(0, 'writer', stream)
  t.equal(await connection.queryPublisherSequence('writer', stream), 0n)
  connection.publish(0, 1, [entry(41, 'a')])
  await confirms.take()
  t.equal(await connection.queryPublisherSequence('writer', stream), 41n)
  await t.rejects(connection.queryPublisherSequence('writer', uniqueName('missing')), { responseCode: ResponseCode.streamDoesNotExist, message: /./ })
})

t.test('statistics are signed: -1 while there is no chunk', async (t) => {
  const opened = await open(t)
  const { connection } = opened
  const stream = await createStream(t, connection)
  t.equal((await connection.streamStats(stream)).get('committed_chunk_id'), -1n)
  await publish(opened, stream, 2)
  t.match(Object.fromEntries(await connection.streamStats(stream)), { first_chunk_id: 0n })
})

t.test('a broker that resolves offset specifications does', async (t) => {
  const opened = await open(t)
  const { connection } = opened
  const stream = await createStream(t, connection)
  await publish(opened, stream, 3)
  if (!connection.supports('resolveOffsetSpec')) {
    const [major = 0, minor = 0] = connection.brokerVersion.split('.').map(Number)
    t.ok(major < 4 || (major === 4 && minor < 3), 'only brokers before 4.3 do not know it')
    return
  }
  t.equal(await connection.resolveOffsetSpec(stream, { type: 'first' }, none), 0)
  t.equal(await connection.resolveOffsetSpec(stream, { type: 'next' }, none), 3)
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

t.test('a chunk that is larger than any read comes whole', async (t) => {
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

t.test('the deletion of a stream is told to the connections that use it', async (t) => {
  const opened = await open(t)
  const stream = await createStream(t, opened.connection)
  await publish(opened, stream, 1)
  await (await open(t)).connection.deleteStream(stream)
  t.same(await opened.metadataUpdates.take(), { responseCode: ResponseCode.streamNotAvailable, stream })
  opened.connection.publish(0, 1, [entry(9, 'late')])
  t.match(await opened.failures.take(), { publishingId: 9, responseCode: ResponseCode.publisherDoesNotExist })
})

t.test('a hundred requests of one turn are all answered', async (t) => {
  const { connection } = await open(t)
  const stream = await createStream(t, connection)
  await Promise.all(Array.from({ length: 100 }, async (_, index) => {
    t.equal(await connection.storeAndQueryOffset(`consumer ${index}`, stream, BigInt(index)), BigInt(index))
  }))
})

t.test("the broker's Close ends the connection with its code", async (t) => {
  const { channel } = await openChannel(optionsFromUrl(testStreamUrl()), undefined)
  // No broker knows this command from a client.
  const unknown = channel.request({ name: 'consumerUpdate', write (writer) { writer.u16(0) }, read () {} }, undefined, 10_000)
  await t.rejects(unknown, { name: 'ConnectionClosedError', closedBy: 'peer', responseCode: ResponseCode.unknownFrame })
  t.equal(channel.isOpen, false)
  await channel.close('already closed', 10_000)
})

t.test('close is confirmed by the broker', async (t) => {
  const { connection, closings } = await open(t)
  const last = connection.metadata(['s'])
  await connection.close('the test is over')
  t.equal((await last).length, 1)
  t.match(await closings.take(), { closedBy: 'us', message: /the test is over/ })
})

t.test('a socket that is cut while requests are under way rejects them all', async (t) => {
  const { hostname, port } = new URL(testStreamUrl())
  let cut: () => void = () => {}
  const proxy = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    client.pipe(upstream).pipe(client)
    for (const socket of [client, upstream]) socket.on('error', () => {})
    cut = () => {
      client.resetAndDestroy()
      upstream.destroy()
    }
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  t.teardown(() => { proxy.close() })
  const { connection, closings } = await open(t, { host: '127.0.0.1', port: portOf(proxy.address()) })
  const waiting = [connection.metadata(['a']), connection.queryOffset('r', 's'), connection.streamStats('s')]
  cut()
  for (const result of await Promise.allSettled(waiting)) t.match(result, { status: 'rejected', reason: { name: 'ConnectionClosedError', closedBy: 'fault' } })
  t.equal((await closings.take()).closedBy, 'fault')
})

t.test('a peer that accepts and says nothing is given up when the time is over', async (t) => {
  const accepted: Socket[] = []
  const silent = createServer((socket) => { accepted.push(socket) }).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.teardown(() => {
    for (const socket of accepted) socket.destroy()
    silent.close()
  })
  const options = optionsFromUrl(testStreamUrl(), { host: '127.0.0.1', port: portOf(silent.address()), connectTimeoutMs: 100 })
  await t.rejects(Connection.open(options), { name: 'ConnectionClosedError', closedBy: 'fault', message: /within 100 ms/ })
})

function portOf (address: string | { port: number } | null): number {
  if (address === null || typeof address === 'string') throw new Error('the server does not listen')
  return address.port
}
