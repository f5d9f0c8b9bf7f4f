import t from 'tap'
import { ResponseCode } from '../../src/streams/protocol/index.ts'
import { uniqueName } from '../support/broker.ts'
import { createStream, entry, none, open, publish } from './open-connection.ts'

t.test('a stream is created, found and deleted', async (t) => {
  const { connection } = await open(t)
  const stream = uniqueName('protocol')
  const args = new Map([['max-length-bytes', '1000000'], ['stream-max-segment-size-bytes', '500000']])
  await connection.createStream(stream, args)
  const exists = { responseCode: ResponseCode.streamAlreadyExists, command: 'createStream', message: /./ }
  await t.rejects(connection.createStream(stream, args), exists)
  const missing = uniqueName('missing')
  const metadata = await connection.metadata([stream, missing])
  const found = metadata.find((entry) => entry.stream === stream)
  t.equal(found?.responseCode, ResponseCode.ok)
  t.same(found?.leader, { host: connection.advertisedHost, port: connection.advertisedPort })
  t.same(found?.replicas, [])
  const notFound = { responseCode: ResponseCode.streamDoesNotExist, leader: undefined }
  t.match(metadata.find((entry) => entry.stream === missing), notFound)
  await connection.deleteStream(stream)
  await t.rejects(connection.deleteStream(stream), { responseCode: ResponseCode.streamDoesNotExist, message: /./ })
})

t.test('a super stream is created, routed to and deleted', async (t) => {
  const { connection } = await open(t)
  const superStream = uniqueName('super')
  const partitions = [`${superStream}-eu`, `${superStream}-us`]
  const wanted = { superStream, partitions, bindingKeys: ['eu', 'us'], args: none }
  await connection.createSuperStream(wanted, 30_000)
  const exists = { responseCode: ResponseCode.streamAlreadyExists, command: 'createSuperStream', message: /./ }
  await t.rejects(connection.createSuperStream(wanted, 30_000), exists)
  t.same(await connection.partitions(superStream), partitions)
  t.same(await connection.route(superStream, 'us'), [`${superStream}-us`])
  t.same(await connection.route(superStream, 'mars'), [])
  await connection.deleteSuperStream(superStream, 30_000)
  const missing = { responseCode: ResponseCode.streamDoesNotExist, message: /./ }
  await t.rejects(connection.deleteSuperStream(superStream, 30_000), missing)
  await t.rejects(connection.route(superStream, 'us'), missing)
})

t.test('a stored offset reads back on the same connection, whatever it is', async (t) => {
  const { connection } = await open(t)
  const stream = await createStream(t, connection)
  await t.rejects(connection.queryOffset('someone', stream), { responseCode: ResponseCode.noOffset, message: /./ })
  for (const offset of [10n, 5n, 0n, 2n ** 63n, 2n ** 64n - 1n]) {
    t.equal(await connection.storeAndQueryOffset('someone', stream, offset), offset)
  }
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
  const missing = connection.queryPublisherSequence('writer', uniqueName('missing'))
  await t.rejects(missing, { responseCode: ResponseCode.streamDoesNotExist, message: /./ })
})

t.test('statistics are signed: -1 while there is no chunk', async (t) => {
  const opened = await open(t)
  const { connection } = opened
  const stream = await createStream(t, connection)
  t.equal((await connection.streamStats(stream)).get('committed_chunk_id'), -1n)
  await publish(opened, stream, 2)
  t.match(Object.fromEntries(await connection.streamStats(stream)), { first_chunk_id: 0n })
})

t.test('a broker that supports it resolves offset specifications', async (t) => {
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

t.test('a hundred requests of one turn of the event loop are all answered', async (t) => {
  const { connection } = await open(t)
  const stream = await createStream(t, connection)
  await Promise.all(Array.from({ length: 100 }, async (_, index) => {
    t.equal(await connection.storeAndQueryOffset(`consumer ${index}`, stream, BigInt(index)), BigInt(index))
  }))
})
