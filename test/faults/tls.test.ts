import { once } from 'node:events'
import { createServer } from 'node:tls'
import t, { type Test } from 'tap'
import { Connection, type ConnectionOptions } from '../../src/streams/protocol/index.ts'
import { startPrivateBroker } from '../support/broker.ts'
import { TestAuthority, type Certificate } from '../support/certificates.ts'
import { FaultProxy } from '../support/proxy.ts'
import { batchOf, newStream, openBroker, readAll, readOnce, type TestBrokerOptions } from '../support/streams.ts'
import { untilItWorks } from '../support/through-proxy.ts'
import { until } from '../support/until.ts'
import { connectionOptions } from '../unit/protocol/open-connection.ts'

t.setTimeout(150_000)

const authority = new TestAuthority('the right one')
const stranger = new TestAuthority('another one')
t.teardown(() => {
  authority.close()
  stranger.close()
})
const client = authority.client('tls-user')
const PLAIN = { mechanism: 'PLAIN', username: 'guest', password: 'guest' } as const
const EXTERNAL = { mechanism: 'EXTERNAL' } as const

t.test('RabbitMQ over TLS', async (t) => {
  const tls = { ca: authority.ca, ...authority.server('rabbit.test') }
  const { node } = await startPrivateBroker(t, { tls })
  const port = node.streamTlsPort
  if (port === undefined) throw new Error('the node has no TLS')
  await node.ctl('add_user', 'tls-user', 'not-used')
  await node.ctl('set_permissions', '-p', '/', 'tls-user', '.*', '.*', '.*')
  const proxy = await FaultProxy.listen({ host: '127.0.0.1', port })
  t.teardown(async () => { await proxy.close() })
  const open = (t: Test, overrides: Partial<TestBrokerOptions>) => openBroker(t, {
    hosts: [{ host: '127.0.0.1', port: proxy.port }],
    addressMode: 'configured',
    management: undefined,
    connectTimeoutMs: 2000,
    authentication: PLAIN,
    ...overrides
  })

  await t.test('what is published with PLAIN is read with EXTERNAL, and the other way round', async (t) => {
    const plain = open(t, { tls: { ca: authority.ca } })
    const withCertificate = { ca: authority.ca, servername: 'rabbit.test', ...client }
    const external = open(t, { tls: withCertificate, authentication: EXTERNAL })
    const stream = await newStream(t, plain)
    t.match(await external.publishing.publish(stream, batchOf(['by certificate'])), { confirmed: 1 })
    t.match(await plain.publishing.publish(stream, batchOf(['by password', 'x'.repeat(500_000)])), { confirmed: 2 })
    t.same(await readAll(external, stream), await readAll(plain, stream))
    t.match(await external.consumers.storeOffset(stream, 'c', 1), { storedOffset: 1n })
    t.match(await plain.consumers.storedOffset(stream, 'c'), { storedOffset: 1n })
    t.match(await external.status(), { state: 'up' })
  })

  // The connections of others are not harmed.
  await t.test('a wrong authority, a wrong name and a wrong client certificate are refused', async (t) => {
    const right = open(t, { tls: { ca: authority.ca } })
    const stream = await newStream(t, right)
    const wrongs: Array<[fault: string, options: Partial<TestBrokerOptions>]> = [
      ['broker_certificate', { tls: { ca: stranger.ca } }],
      ['broker_certificate', { tls: {} }],
      ['broker_certificate', { tls: { ca: authority.ca, servername: 'other.test' } }],
      ['client_certificate', { tls: { ca: authority.ca, ...stranger.client('tls-user') }, authentication: EXTERNAL }]
    ]
    for (const [fault, wrong] of wrongs) {
      const broker = open(t, wrong)
      const publishing = broker.publishing.publish(stream, batchOf(['x']))
      await t.rejects(publishing, { code: 'broker_unavailable', sideEffects: 'none' })
      t.match(await broker.status(), { state: 'down', fault })
      t.equal(broker.stats().connections, 0)
      t.match(await right.publishing.publish(stream, batchOf(['y'])), { confirmed: 1 })
    }
    const unknown = open(t, {
      tls: { ca: authority.ca, ...authority.client('nobody') },
      authentication: EXTERNAL,
      connectTimeoutMs: 8000
    })
    const publishing = unknown.publishing.publish(stream, batchOf(['x']))
    await t.rejects(publishing, { code: 'broker_protocol_error', sideEffects: 'none', retryable: false })
    t.same(await readAll(right, stream), wrongs.map(() => 'y'))
  })

  await t.test('plain against the TLS port and TLS against the plain port are given up in time', async (t) => {
    const plainToTls = open(t, {})
    const tlsToPlain = open(t, {
      tls: { ca: authority.ca },
      hosts: [{ host: '127.0.0.1', port: node.streamPort }],
      connectTimeoutMs: 300
    })
    for (const [broker, fault] of [[plainToTls, 'tls_port'], [tlsToPlain, 'plain_port']] as const) {
      const startedMs = performance.now()
      const reading = readOnce(broker, 's', { type: 'first' })
      await t.rejects(reading, { code: 'broker_unavailable', sideEffects: 'none', retryable: true })
      t.ok(performance.now() - startedMs < 6000)
      t.match(await broker.status(), { state: 'down', fault })
    }
  })

  await t.test('a TLS handshake that falls silent or is reset at any point ends in time', async (t) => {
    const options = (connectTimeoutMs: number): ConnectionOptions => {
      return connectionOptions(proxy.port, { tls: { ca: authority.ca }, connectTimeoutMs })
    }
    await (await Connection.open(options(10_000))).close()
    const total = proxy.lastReceivedBytes
    for (let cut = 0; cut < 12; cut++) {
      const bytes = Math.floor(total * cut / 14)
      for (const how of ['silence', 'reset'] as const) {
        proxy.cutAfter(bytes, how)
        const startedMs = performance.now()
        const what = `${how} after ${bytes} of ${total} bytes`
        await t.rejects(Connection.open(options(200)), { name: 'ConnectionClosedError' }, what)
        t.ok(performance.now() - startedMs < 4000)
      }
    }
    proxy.cutNothing()
  })

  await t.test('the gateway survives a restart of the broker', async (t) => {
    const broker = open(t, { tls: { ca: authority.ca } })
    const stream = await newStream(t, broker)
    t.match(await broker.publishing.publish(stream, batchOf(['before'])), { confirmed: 1 })
    await node.kill('SIGKILL')
    await until('the connections are closed', () => broker.stats().connections === 0)
    const publishing = broker.publishing.publish(stream, batchOf(['meanwhile']))
    await t.rejects(publishing, { code: 'broker_unavailable', sideEffects: 'none' })
    await node.start()
    const read = await untilItWorks(async () => {
      await broker.publishing.publish(stream, batchOf(['after']))
      return await readAll(broker, stream)
    })
    t.equal(read[0], 'before')
    t.equal(read.at(-1), 'after')
    t.notOk(read.includes('meanwhile'))
  })
})

t.test('an expired certificate is refused', async (t) => {
  const [expired, valid] = [authority.expiredServer('rabbit.test'), authority.server('rabbit.test')]
  for (const [certificate, code] of [[expired, 'CERT_HAS_EXPIRED'], [valid, undefined]] as const) {
    const port = await tlsServer(t, certificate)
    const outcome = Connection.open(connectionOptions(port, { tls: { ca: authority.ca }, connectTimeoutMs: 3000 }))
    // With a valid certificate the attempt gets as far as this server lets it.
    if (code === undefined) await t.rejects(outcome, { message: /not open within/ })
    else await t.rejects(outcome, { name: 'ConnectionClosedError', closedBy: 'fault', cause: { code } })
  }
})

async function tlsServer (t: Test, { cert, key }: Certificate): Promise<number> {
  const server = createServer({ cert, key }, (socket) => { socket.on('error', () => {}).resume() })
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  t.teardown(() => { server.close() })
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port')
  return address.port
}
