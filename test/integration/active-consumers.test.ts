import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import * as jsClient from 'rabbitmq-stream-js-client'
import { exactly } from '../support/exactly.ts'
import { GroupMember } from '../support/group-member.ts'
import { FaultProxy } from '../support/proxy.ts'
import { batchOf, newStream, numbered, openBroker, readAll, testAddresses } from '../support/streams.ts'
import { manage, newSuperStream } from '../support/super-streams.ts'
import { until } from '../support/until.ts'

async function connectClient (t: Test): Promise<jsClient.Client> {
  const { host, port } = testAddresses()
  const login = { username: 'guest', password: 'guest', vhost: '/', heartbeat: 0 }
  const client = await jsClient.connect({ hostname: host, port, ...login })
  t.teardown(async () => { await client.close().catch(() => {}) })
  return client
}

/** A proxy before the test's broker, and a broker of the domain that reaches it only by that. */
async function openBehindProxy (t: Test): Promise<{ proxy: FaultProxy, broker: ReturnType<typeof openBroker> }> {
  const proxy = await FaultProxy.listen(testAddresses())
  t.teardown(async () => { await proxy.close() })
  const { host, port } = proxy
  return { proxy, broker: openBroker(t, { hosts: [{ host, port }], addressMode: 'configured' }) }
}

t.test('one member at a time is active, native ones among them, and nothing is lost or out of order', async (t) => {
  const broker = openBroker(t)
  const other = openBroker(t)
  const stream = await newStream(t, broker)
  await broker.publishing.publish(stream, batchOf(numbered(20)))
  const client = await connectClient(t)
  const native: string[] = []
  const consumer = await client.declareConsumer(
    { stream, consumerRef: 'c', singleActive: true, offset: jsClient.Offset.first() },
    ({ content }) => { native.push(content.toString()) }
  )
  await until('the native member reads', () => native.length === 20)
  await consumer.storeOffset(9n)
  await until('its offset is stored', async () =>
    await broker.consumers.storedOffset(stream, 'c').then(({ storedOffset }) => storedOffset === 9n, () => false))

  const first = await GroupMember.join(t, broker, stream, 'c')
  const second = await GroupMember.join(t, other, stream, 'c')
  t.equal(first.isActive || second.isActive, false)
  const closedMs = performance.now()
  await client.close()
  const active = await first.event('activated')
  t.ok(active.atMs - closedMs < 1000, `it took ${active.atMs - closedMs} ms`)
  t.equal(active.nextOffset, 10, 'after what the native client has stored')
  await broker.publishing.publish(stream, batchOf(numbered(20, 20)))
  await first.hasRead(30)
  t.strictSame(first.bodies, numbered(30, 10))
  await broker.consumers.storeOffset(stream, 'c', 34)

  const leftMs = performance.now()
  first.leave()
  const next = await second.event('activated')
  t.ok(next.atMs - leftMs < 1000, `it took ${next.atMs - leftMs} ms`)
  t.equal(next.nextOffset, 35)
  const rest = await readAll(other, stream, 35) // the broker's records of stores take offsets too
  await second.hasRead(rest.length)
  t.strictSame(second.bodies, rest)
  t.equal(rest.at(-1), 'message 39')
  t.match(first.names, exactly('activated'))
})

t.test('a native client takes over from a member of the gateway', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  await broker.publishing.publish(stream, batchOf(numbered(10)))
  const member = await GroupMember.join(t, broker, stream, 'c')
  await member.hasRead(10)
  const client = await connectClient(t)
  const native: string[] = []
  await client.declareConsumer({
    stream,
    consumerRef: 'c',
    singleActive: true,
    offset: jsClient.Offset.first(),
    async consumerUpdateListener (consumerRef, stream) {
      return jsClient.Offset.offset(await client.queryOffset({ reference: consumerRef, stream }) + 1n)
    }
  }, ({ content }) => { native.push(content.toString()) })
  await broker.consumers.storeOffset(stream, 'c', 6)
  t.same(native, [])
  member.leave()
  await until('the native client reads', () => native.length === 3)
  t.strictSame(native, numbered(3, 7))
})

t.test('a member whose connection breaks is replaced within a second, and joins again behind the others', async (t) => {
  const { proxy, broker } = await openBehindProxy(t)
  const other = openBroker(t)
  const stream = await newStream(t, other)
  await other.publishing.publish(stream, batchOf(numbered(10)))
  const first = await GroupMember.join(t, broker, stream, 'c')
  await first.hasRead(10)
  const second = await GroupMember.join(t, other, stream, 'c')
  await other.consumers.storeOffset(stream, 'c', 3)
  const killedMs = performance.now()
  proxy.killConnections()
  const { atMs, nextOffset } = await second.event('activated')
  t.ok(atMs - killedMs < 1000, `it took ${atMs - killedMs} ms`)
  t.equal(nextOffset, 4)
  await first.event('lost')
  await second.hasRead(6)
  t.strictSame(second.bodies, numbered(6, 4))
  t.match(first.names, exactly('activated', 'lost'))
  t.equal((await other.consumers.storedOffset(stream, 'c')).storedOffset, 3n, 'what was lost stores nothing')

  await until('the first one is a member again', async () => await membersOf(stream) === 2)
  second.leave()
  t.equal((await first.event('activated', 2)).nextOffset, 4)
})

t.test('a member that is frozen is replaced within fifteen seconds, and notices it', async (t) => {
  const { proxy, broker } = await openBehindProxy(t)
  const other = openBroker(t)
  const stream = await newStream(t, other)
  const first = await GroupMember.join(t, broker, stream, 'c')
  await first.event('activated')
  const second = await GroupMember.join(t, other, stream, 'c')
  const pausedMs = performance.now()
  proxy.pause()
  const { atMs } = await second.event('activated')
  t.ok(atMs - pausedMs < 16_000, `it took ${atMs - pausedMs} ms`)
  const lost = await first.event('lost')
  t.ok(lost.atMs - pausedMs < 16_000, `it took ${lost.atMs - pausedMs} ms`)
  proxy.resume()
})

t.test('members of a partition take turns as RabbitMQ spreads partitions, and nobody begins before the last one has ' +
  'settled', async (t) => {
  const broker = openBroker(t)
  const superStream = `invoices-${randomUUID()}`
  const partitions = [`${superStream}-0`, `${superStream}-1`]
  await newSuperStream(t, superStream, partitions)
  const stream = `${superStream}-1`
  await until('the partition is there', async () => await broker.streams.describe(stream).then(() => true, () => false))
  await broker.publishing.publish(stream, batchOf(numbered(10)))
  const slow = await GroupMember.join(t, broker, stream, 'c', { settleMs: 1500 })
  await slow.hasRead(10)
  // The second partition goes to the second member.
  const second = await GroupMember.join(t, openBroker(t), stream, 'c')
  const asked = await slow.event('asked')
  const settled = await slow.event('settled')
  const activated = await second.event('activated')
  t.ok(settled.atMs - asked.atMs >= 1400)
  t.ok(activated.atMs >= settled.atMs)
  t.ok(activated.atMs - settled.atMs < 1000)
  t.equal(activated.nextOffset, 10, 'what was delivered is stored before')
  await broker.publishing.publish(stream, batchOf(numbered(5, 10)))
  await second.hasRead(5)
  t.strictSame(second.bodies, numbered(5, 10))

  const client = await connectClient(t)
  const native: string[] = []
  const consumer = await client.declareSuperStreamConsumer(
    { superStream, consumerRef: 'c', offset: jsClient.Offset.first() },
    ({ content }) => { native.push(content.toString()) }
  )
  await until('a native consumer of the super stream is a member', async () => await membersOf(stream) === 3)
  second.leave()
  slow.leave()
  await until('the native client reads the partition', () => native.length === 15)
  await consumer.close()
})

t.test('a member without a stored offset begins at `from`, which is stored only when it is active', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  await broker.publishing.publish(stream, batchOf(numbered(10)))
  const client = await connectClient(t)
  await client.declareConsumer(
    { stream, consumerRef: 'c', singleActive: true, offset: jsClient.Offset.first() }, () => {}
  )
  const member = await GroupMember.join(t, broker, stream, 'c', { from: { type: 'offset', offset: 7 } })
  await t.rejects(broker.consumers.storedOffset(stream, 'c'), { code: 'consumer_offset_not_found' })
  await client.close()
  t.equal((await member.event('activated')).nextOffset, 7)
  t.equal((await broker.consumers.storedOffset(stream, 'c')).storedOffset, 6n)
})

t.test('a member of a stream that is deleted fails', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  await t.rejects(broker.consumers.join(`${stream}-x`, 'c', { type: 'first' }), { code: 'stream_not_found' })
  const member = await GroupMember.join(t, broker, stream, 'c')
  await member.event('activated')
  await broker.streams.delete(stream)
  t.match(await member.event('failed'), { error: { code: 'stream_not_found' } })
  t.match(member.names, exactly('activated', 'lost', 'failed'))
})

t.test('members share connections, and the last one to leave leaves the broker without any', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  const before = broker.stats().connections
  const members = await Promise.all(Array.from({ length: 100 }, async (_, index) =>
    await GroupMember.join(t, broker, stream, `c-${index % 10}`)))
  t.ok(broker.stats().connections - before <= 2)
  await until('ten are active', () => members.filter(({ isActive }) => isActive).length === 10)
  t.equal(broker.isInUse, true)
  for (const member of members) member.leave()
  await until('nobody is a member', async () => await membersOf(stream) === 0)
  await until('the broker is not in use', () => !broker.isInUse)
})

t.test('a member whose user may no longer read is replaced when its permissions are asked for again', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  const username = `reader-${randomUUID()}`
  await manage('PUT', `users/${username}`, { password: 'secret', tags: '' })
  t.teardown(async () => { await manage('DELETE', `users/${username}`) })
  const permit = async (read: string): Promise<void> => {
    await manage('PUT', `permissions/%2f/${username}`, { configure: '', write: '', read })
  }
  await permit('.*')
  const callers = openBroker(t, { authentication: { mechanism: 'PLAIN', username, password: 'secret' } })
  const first = await GroupMember.join(t, callers, stream, 'c')
  await first.event('activated')
  const second = await GroupMember.join(t, broker, stream, 'c')
  await callers.recheck()
  t.equal(first.isActive, true)
  await permit('^$')
  await callers.recheck()
  t.match(await first.event('failed'), { error: { code: 'access_refused' } })
  await second.event('activated')
  await t.rejects(callers.consumers.join(stream, 'c', { type: 'first' }), { code: 'access_refused' })
})

/** How many members the broker counts, of all groups of the stream. */
async function membersOf (stream: string): Promise<number> {
  const { managementUrl } = testAddresses()
  const response = await fetch(`${managementUrl}/api/stream/consumers`, {
    headers: { authorization: `Basic ${btoa('guest:guest')}` }
  })
  const consumers: unknown = await response.json()
  if (!Array.isArray(consumers)) throw new Error('the management API lists no consumers')
  return consumers.filter(({ queue, properties }) =>
    queue?.name === stream && properties?.['single-active-consumer'] === 'true').length
}
