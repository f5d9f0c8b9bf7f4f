import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { FaultProxy } from './proxy.ts'

t.test('what is sent comes back through the proxy, in order', async t => {
  const { proxy } = await echoThrough(t)
  const client = await connectTo(t, proxy)
  const sent = Buffer.alloc(3 * 1024 * 1024, 'abcdefg')
  client.end(sent)
  t.ok((await readToEnd(client)).equals(sent))
})

t.test('a paused proxy keeps connections open and silent; what was sent meanwhile arrives after resume', async t => {
  const { proxy, received } = await echoThrough(t)
  const client = await connectTo(t, proxy)
  client.write('one')
  await once(client, 'data')
  proxy.pause()
  client.write('two')
  const late = await connectTo(t, proxy)
  late.write('three')
  await new Promise(resolve => setTimeout(resolve, 50))
  t.equal(received(), 'one')
  t.notOk(client.destroyed || late.destroyed)
  const answers = Promise.all([once(client, 'data'), once(late, 'data')])
  proxy.resume()
  t.same((await answers).map(String), ['two', 'three'])
})

t.test('killConnections resets both sides', async t => {
  const { proxy, accepted } = await echoThrough(t)
  const client = await connectTo(t, proxy)
  client.write('one')
  await once(client, 'data')
  const ended = Promise.all([once(client, 'error'), ...accepted().map(socket => once(socket, 'error'))])
  proxy.killConnections()
  t.same((await ended).map(([error]) => error.code), ['ECONNRESET', 'ECONNRESET'])
  t.equal(proxy.connectionCount, 0)
})

t.test('a proxy that refuses resets new connections and keeps the old ones, until it accepts again', async t => {
  const { proxy } = await echoThrough(t)
  const old = await connectTo(t, proxy)
  old.write('one')
  await once(old, 'data')
  proxy.refuse()
  const refused = connect(proxy.port, proxy.host)
  const [error] = await once(refused, 'error')
  t.equal(error.code, 'ECONNRESET')
  old.write('two')
  t.same(String(await once(old, 'data')), 'two')
  proxy.accept()
  const next = await connectTo(t, proxy)
  next.write('three')
  t.equal(String(await once(next, 'data')), 'three')
})

t.test('latency delays both directions', async t => {
  const { proxy } = await echoThrough(t)
  const client = await connectTo(t, proxy)
  proxy.setLatency(60)
  const before = performance.now()
  client.write('one')
  await once(client, 'data')
  // Timers may fire a millisecond early.
  t.ok(performance.now() - before >= 118)
})

t.test('a trickle forwards every byte by itself, and all of them', async t => {
  const { proxy } = await echoThrough(t)
  proxy.setTrickle('both')
  const client = await connectTo(t, proxy)
  const sizes: number[] = []
  client.on('data', (data: Buffer) => sizes.push(data.length))
  client.end(Buffer.alloc(1000))
  await once(client, 'end')
  t.equal(sizes.reduce((sum, size) => sum + size, 0), 1000)
  t.ok(sizes.length > 300, `${sizes.length} reads`)
})

t.test('a connection is cut after as many bytes of its target as was asked: by silence, or by a reset', async t => {
  const { proxy } = await echoThrough(t)
  proxy.cutAfter(5, 'silence')
  const silent = await connectTo(t, proxy)
  silent.write('abcdefgh')
  t.equal(String(await once(silent, 'data')), 'abcde')
  let more = ''
  silent.on('data', chunk => { more += chunk })
  silent.write('ijk')
  await new Promise(resolve => setTimeout(resolve, 50))
  t.equal(more, '')
  t.notOk(silent.destroyed)
  proxy.cutAfter(5, 'reset')
  const reset = await connectTo(t, proxy)
  reset.write('abcdefgh')
  const [error] = await once(reset, 'error')
  t.equal(error.code, 'ECONNRESET')
  proxy.cutNothing()
  const whole = await connectTo(t, proxy)
  whole.write('abcdefgh')
  t.equal(String(await once(whole, 'data')), 'abcdefgh')
})

t.test('connections to targets that have vanished are silent, new connections are not', async t => {
  const { proxy } = await echoThrough(t)
  const old = await connectTo(t, proxy)
  old.write('one')
  await once(old, 'data')
  proxy.vanish()
  let received = ''
  old.on('data', chunk => { received += chunk })
  old.write('two')
  const next = await connectTo(t, proxy)
  next.write('three')
  t.equal(String(await once(next, 'data')), 'three')
  t.notOk(old.destroyed)
  t.equal(received, '')
})

t.test('several targets take turns', async t => {
  const { server: first } = await echoThrough(t)
  const { server: second } = await echoThrough(t)
  const targets = [first, second].map(server => {
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('a TCP server has a port')
    return { host: '127.0.0.1', port: address.port }
  })
  let connections = 0
  first.on('connection', () => { connections++ })
  const proxy = await FaultProxy.listen(...targets)
  t.teardown(() => proxy.close())
  for (let count = 0; count < 4; count++) {
    const client = await connectTo(t, proxy)
    client.write('x')
    await once(client, 'data')
  }
  t.equal(connections, 2)
  t.equal(proxy.acceptedCount, 4)
})

t.test('a target that is gone resets the client', async t => {
  const { proxy, server } = await echoThrough(t)
  server.close()
  const client = connect(proxy.port, proxy.host)
  const [error] = await once(client, 'error')
  t.equal(error.code, 'ECONNRESET')
})

interface Echo {
  proxy: FaultProxy
  server: Server
  received: () => string
  accepted: () => Socket[]
}

async function echoThrough (t: Test): Promise<Echo> {
  const sockets: Socket[] = []
  let received = ''
  const server = createServer({ allowHalfOpen: true }, socket => {
    sockets.push(socket)
    socket.on('data', chunk => { received += chunk })
    socket.on('error', () => {})
    socket.pipe(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port')
  const proxy = await FaultProxy.listen({ host: '127.0.0.1', port: address.port })
  t.teardown(async () => {
    await proxy.close()
    server.close()
  })
  return { proxy, server, received: () => received, accepted: () => sockets }
}

async function connectTo (t: Test, proxy: FaultProxy): Promise<Socket> {
  const socket = connect(proxy.port, proxy.host)
  socket.on('error', () => {})
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}

async function readToEnd (socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk)
  return Buffer.concat(chunks)
}
