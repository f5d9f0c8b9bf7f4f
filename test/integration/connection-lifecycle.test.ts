import t, { type Test } from 'tap'
import { connect, createServer, type Socket } from 'node:net'
import { once } from 'node:events'
import { Connection, ResponseCode, type ConnectionOptions } from '../../src/streams/protocol/index.ts'
import { openChannel } from '../../src/streams/protocol/handshake.ts'
import { optionsFromUrl } from '../unit/protocol/open-connection.ts'
import { testStreamUrl, uniqueName } from '../support/broker.ts'
import { open } from './open-connection.ts'

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

t.test('a wrong password is an authentication error, after three seconds', async (t) => {
  const authentication = { mechanism: 'PLAIN', username: 'guest', password: 'wrong' } as const
  const options = optionsFromUrl(testStreamUrl(), { authentication })
  await rejectsAuthentication(t, options, ResponseCode.authenticationFailure)
})

t.test('a virtual host that does not exist is an authentication error', async (t) => {
  const options = optionsFromUrl(testStreamUrl(), { virtualHost: uniqueName('nowhere') })
  await rejectsAuthentication(t, options, ResponseCode.virtualHostAccessFailure)
})

t.test('a mechanism that the broker does not offer is an authentication error', async (t) => {
  const options = optionsFromUrl(testStreamUrl(), { authentication: { mechanism: 'EXTERNAL' } })
  await rejectsAuthentication(t, options, ResponseCode.saslMechanismNotSupported)
})

t.test('a peer that accepts and says nothing is given up in time', async (t) => {
  const accepted: Socket[] = []
  const silent = createServer((socket) => { accepted.push(socket) }).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.teardown(() => {
    for (const socket of accepted) socket.destroy()
    silent.close()
  })
  const port = portOf(silent.address())
  const options = optionsFromUrl(testStreamUrl(), { host: '127.0.0.1', port, connectTimeoutMs: 100 })
  const failure = { name: 'ConnectionClosedError', closedBy: 'fault', message: /within 100 ms/ }
  await t.rejects(Connection.open(options), failure)
})

t.test('a Close of the broker ends the connection with its code', async (t) => {
  const { channel } = await openChannel(optionsFromUrl(testStreamUrl()), undefined)
  // No broker knows this command from a client.
  const unknown = channel.request({
    name: 'consumerUpdate',
    write (writer) { writer.u16(0) },
    read () {}
  }, undefined, 10_000)
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
  const refusal = { status: 'rejected', reason: { name: 'ConnectionClosedError', closedBy: 'fault' } }
  for (const result of await Promise.allSettled(waiting)) t.match(result, refusal)
  t.equal((await closings.take()).closedBy, 'fault')
})

async function rejectsAuthentication (t: Test, options: ConnectionOptions, responseCode: number): Promise<void> {
  await t.rejects(Connection.open(options), { name: 'AuthenticationError', responseCode })
}

function portOf (address: string | { port: number } | null): number {
  if (address === null || typeof address === 'string') throw new Error('the server does not listen')
  return address.port
}
