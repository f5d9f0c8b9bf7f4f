import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createHttpServer } from 'node:http'
import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { Connection } from '../../src/streams/protocol/index.ts'
import { FaultProxy } from '../support/proxy.ts'
import { batchOf, readAll, readOnce, testAddresses } from '../support/streams.ts'
import { publishUntilItWorks, throughProxy, untilItWorks } from '../support/through-proxy.ts'
import { until } from '../support/until.ts'
import { testAmqpUrl, testStreamUrl } from '../support/broker.ts'
import { optionsFromUrl } from '../unit/protocol/open-connection.ts'

// For a handshake that cannot end.
const HOPELESS_CONNECT_TIMEOUT_MS = 150
// For a handshake that has to end, on a machine that is busy with other work.
const CONNECT_TIMEOUT_MS = 1000

/** A connection to the tests' RabbitMQ through the proxy. */
const openThrough = async (proxy: FaultProxy, connectTimeoutMs: number): Promise<Connection> =>
  await Connection.open(optionsFromUrl(testStreamUrl(), { host: proxy.host, port: proxy.port, connectTimeoutMs }))

/** Places to cut the broker's side of a handshake: around its start and its end, and all over its middle. */
async function cutPoints (proxy: FaultProxy): Promise<number[]> {
  await (await openThrough(proxy, 10_000)).close()
  const total = proxy.lastReceivedBytes
  const spread = Array.from({ length: 10 }, (_, index) => Math.floor(total * (index + 1) / 12))
  return [0, 1, 5, ...spread].filter((point) => point < total)
}

/** How many sockets and timers of each kind keep this process busy. */
function resources (): Map<string, number> {
  const counts = new Map<string, number>()
  for (const name of process.getActiveResourcesInfo()) {
    if (name.startsWith('TCP') || name === 'Timeout') counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return counts
}

/** Settles when there are no more of them than before the attempts. Fewer may be left: others have ended too. */
async function untilNoMoreThan (before: Map<string, number>): Promise<void> {
  const areGone = (): boolean => [...resources()].every(([name, count]) => count <= (before.get(name) ?? 0))
  await until('nothing is left of the attempts', areGone)
}

t.test('a handshake that falls silent at any point is given up in time, and nothing is left of it', async (t) => {
  const proxy = await FaultProxy.listen(testAddresses())
  t.teardown(async () => { await proxy.close() })
  const points = await cutPoints(proxy)
  await until('its connections are closed', () => proxy.connectionCount === 0)
  const before = resources()
  for (const point of points) {
    proxy.cutAfter(point, 'silence')
    const startedMs = performance.now()
    const failure = { name: 'ConnectionClosedError', closedBy: 'fault', message: /not open within 150 ms/ }
    await t.rejects(openThrough(proxy, HOPELESS_CONNECT_TIMEOUT_MS), failure, `after ${point} bytes`)
    t.ok(performance.now() - startedMs < HOPELESS_CONNECT_TIMEOUT_MS + 3000)
    await until('its connection is closed', () => proxy.connectionCount === 0)
  }
  proxy.cutNothing()
  await (await openThrough(proxy, 10_000)).close()
  await untilNoMoreThan(before)
})

t.test('a reset at any point of the handshake ends the attempt at once, and nothing is left of it', async (t) => {
  const proxy = await FaultProxy.listen(testAddresses())
  t.teardown(async () => { await proxy.close() })
  const points = await cutPoints(proxy)
  await until('its connections are closed', () => proxy.connectionCount === 0)
  const before = resources()
  for (const point of points) {
    proxy.cutAfter(point, 'reset')
    const startedMs = performance.now()
    await t.rejects(openThrough(proxy, 10_000), { name: 'ConnectionClosedError' }, `after ${point} bytes`)
    t.ok(performance.now() - startedMs < 8000, 'long before its time is over')
  }
  await untilNoMoreThan(before)
})

type Address = { host: string, port: number }
type Peer = [what: string, start: (t: Test) => Promise<Address>, fault: RegExp]

const peers: Peer[] = [
  ['accepts and says nothing', async (t) => await serve(t, () => {}), /^timed_out$/],
  ['ends every connection', async (t) => await serve(t, (socket) => { socket.end() }), /^broken_off$/],
  ['says nonsense', async (t) => await serve(t, (socket) => {
    socket.write(Buffer.concat([Buffer.from([0xff]), randomBytes(100_000)]))
  }), /^other_protocol$/],
  ['says nonsense that looks like a small frame', async (t) => await serve(t, (socket) => {
    socket.write(Buffer.concat([Buffer.from([0, 0, 0, 200]), randomBytes(200)]))
  }), /^other_protocol$/],
  ['claims to send a very large frame', async (t) => await serve(t, (socket) => {
    socket.write(Buffer.from('7fffffff80110001', 'hex'))
  }), /^other_protocol$/],
  ['repeats what it hears', async (t) => await serve(t, (socket) => { socket.pipe(socket) }), /^other_protocol$/],
  [
    'is an HTTP server',
    async (t) => await listening(t, createHttpServer((_, response) => { response.end('hello') })),
    /^http_port$/
  ],
  ['is the AMQP port of RabbitMQ', async () => {
    const { hostname, port } = new URL(testAmqpUrl())
    return { host: hostname, port: Number(port) }
  }, /^amqp_port$/],
  ['does not listen', async (t) => {
    const server = createServer()
    const address = await listening(t, server)
    server.close()
    return address
  }, /^broken_off$/]
]

for (const [what, start, fault] of peers) {
  // A broker beside it still works, and this one works again when its peer is RabbitMQ.
  t.test(`while the peer ${what}, every request is refused in time and without effects`, async (t) => {
    const { proxy, broker, direct, stream } = await throughProxy(t, { connectTimeoutMs: CONNECT_TIMEOUT_MS })
    proxy.forwardTo(await start(t))
    proxy.killConnections()
    await until('the connections are closed', () => broker.stats().connections === 0)
    const startedMs = performance.now()
    const refusal = { code: 'broker_unavailable', sideEffects: 'none', retryable: true }
    await Promise.all([
      t.rejects(broker.publishing.publish(stream, batchOf(['x'])), refusal),
      t.rejects(broker.publishing.publish(stream, batchOf(['x'], 1), { publisher: 'p' }), refusal),
      t.rejects(broker.consumers.storeOffset(stream, 'c', 0), refusal),
      t.rejects(broker.streams.create(`${stream}-2`, {}), refusal),
      t.rejects(readOnce(broker, stream, { type: 'first' }), refusal)
    ])
    t.ok(performance.now() - startedMs < 8000, 'within the time a read looks for another way, and an attempt')
    t.match(await broker.status(), { state: 'down', reason: String, fault })
    t.equal((await direct.publishing.publish(stream, batchOf(['meanwhile']))).confirmed, 1)
    t.equal(broker.stats().connections, 0)

    proxy.forwardTo(testAddresses())
    t.match(await publishUntilItWorks(broker, stream, ['after']), { confirmed: 1 })
    t.same(await untilItWorks(async () => await readAll(broker, stream)), ['first', 'meanwhile', 'after'])
    t.match(await broker.status(), { state: 'up' })
  })
}

async function serve (t: Test, connected: (socket: Socket) => void): Promise<{ host: string, port: number }> {
  const sockets = new Set<Socket>()
  t.teardown(() => { for (const socket of sockets) socket.destroy() })
  return await listening(t, createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    connected(socket)
    socket.resume()
  }))
}

async function listening (t: Test, server: Server): Promise<{ host: string, port: number }> {
  server.listen(0, '127.0.0.1')
  t.teardown(() => { server.close() })
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port')
  return { host: '127.0.0.1', port: address.port }
}
