import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTcpServer, type Server, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { Endpoints } from '../../../src/push/endpoint/endpoints.ts'
import { Guard } from '../../../src/push/endpoint/guard.ts'

const guard = new Guard({ allowHttp: true, allowedHosts: ['localhost'], allowedNetworks: ['127.0.0.1'] })
const TIMEOUT_MS = 400

function endpoints (t: Test, by = guard): Endpoints {
  const made = new Endpoints(by, 4)
  t.teardown(async () => { await made.close() })
  return made
}

async function listen (t: Test, server: Server): Promise<URL> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => { sockets.add(socket) })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return new URL(`http://127.0.0.1:${address.port}/hook?x=1`)
}

const answering = async (t: Test, listener: RequestListener) => await listen(t, createServer(listener))

/** Answers the bytes of a request with these bytes. */
const raw = async (t: Test, answer: (socket: Socket) => void) => await listen(t, createTcpServer((socket) => {
  socket.on('error', () => {})
  socket.once('data', () => { answer(socket) })
}))

async function post (t: Test, url: URL, by?: Guard, signal = new AbortController().signal) {
  const headers = ['content-type', 'application/json']
  const request = { url, headers, body: Buffer.from('{}'), timeoutMs: TIMEOUT_MS }
  return await endpoints(t, by).post(request, signal)
}

t.test('the status decides, and the headers of the answer are read', async (t) => {
  const url = await answering(t, (request, response) => {
    response.writeHead(503, { 'retry-after': '7', 'webhook-processed': '41' }).end(`no ${request.url ?? ''}`)
  })
  t.match(await post(t, url), {
    failure: 'endpoint', status: 503, retryAfterMs: 7000, processed: 41, error: '503 no /hook?x=1', isFinal: false
  })
  const final = await answering(t, (_, response) => response.writeHead(500, { 'webhook-retry': 'never' }).end())
  t.match(await post(t, final), { failure: 'message', isFinal: true })
})

t.test('an endpoint that cannot be reached is away, and what was sent without an answer is ambiguous', async (t) => {
  const refused = await answering(t, () => {})
  const closed = new URL(refused)
  closed.port = '1'
  const cases: Array<[string, URL, string]> = [
    ['refused', closed, 'endpoint'],
    ['unknown name', new URL('http://no-such-name.invalid:8000/'), 'endpoint'],
    ['no TLS there', new URL(String(await answering(t, () => {})).replace('http:', 'https:')), 'endpoint'],
    ['no answer', await answering(t, () => {}), 'ambiguous'],
    ['reset', await raw(t, (socket) => { socket.resetAndDestroy() }), 'ambiguous'],
    ['closed', await raw(t, (socket) => { socket.end() }), 'ambiguous'],
    ['not HTTP', await raw(t, (socket) => { socket.end('220 mail ready\r\n') }), 'ambiguous'],
    ['slow headers', await raw(t, (socket) => { socket.write('HTTP/1.1 200 OK\r\nx: ') }), 'ambiguous']
  ]
  for (const [name, url, failure] of cases) t.match(await post(t, url), { failure, status: undefined }, name)
})

t.test('a status that has arrived counts, whatever becomes of the body', async (t) => {
  const cut = await raw(t, (socket) => { socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc') })
  t.match(await post(t, cut), { failure: undefined, status: 200 })
  const hanging = await raw(t, (socket) => { socket.write('HTTP/1.1 422 no\r\ncontent-length: 100\r\n\r\nabc') })
  t.match(await post(t, hanging), { failure: 'message', error: '422 abc' })
  const interim = await raw(t, (socket) => { socket.end('HTTP/1.1 103 hints\r\n\r\nHTTP/1.1 204 ok\r\n\r\n') })
  t.match(await post(t, interim), { failure: undefined, status: 204 })
})

t.test('an endless answer is dropped after 64 KiB', async (t) => {
  const url = await answering(t, (_, response) => {
    const timer = setInterval(() => { response.write(Buffer.alloc(16 * 1024)) }, 1)
    response.on('close', () => { clearInterval(timer) })
  })
  const began = performance.now()
  t.match(await post(t, url), { failure: undefined, status: 200 })
  t.ok(performance.now() - began < TIMEOUT_MS)
})

t.test('a redirect is not followed', async (t) => {
  let calls = 0
  const url = await answering(t, (_, response) => {
    calls++
    response.writeHead(302, { location: '/elsewhere' }).end()
  })
  t.match(await post(t, url), { failure: 'endpoint', status: 302 })
  t.equal(calls, 1)
})

t.test('the guard is asked at each connection', async (t) => {
  const url = await answering(t, (_, response) => response.end())
  const closed = new Guard({ allowHttp: true, allowedHosts: [], allowedNetworks: [] })
  t.match(await post(t, url, closed), { failure: 'endpoint', isRefused: true, error: /must have a public address/ })
  const named = new URL(url)
  named.hostname = 'localhost'
  t.match(await post(t, named, closed), { failure: 'endpoint', isRefused: true, error: /that is not public/ })
})

t.test('a delivery is given up at once', async (t) => {
  const url = await answering(t, () => {})
  const aborter = new AbortController()
  setTimeout(() => { aborter.abort() }, 20)
  t.match(await post(t, url, guard, aborter.signal), { failure: 'ambiguous', error: 'the delivery was given up' })
  t.match(await post(t, url, guard, AbortSignal.abort()), { failure: 'endpoint' })
})
