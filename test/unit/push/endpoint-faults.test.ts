import dns from 'node:dns'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { syncBuiltinESMExports } from 'node:module'
import { createServer as createTcpServer, type Server, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import type { Attempt } from '../../../src/push/endpoint/attempt.ts'
import { Endpoints } from '../../../src/push/endpoint/endpoints.ts'
import { Guard } from '../../../src/push/endpoint/guard.ts'
import { TestAuthority } from '../../support/certificates.ts'
import { until } from '../../support/until.ts'

const PUBLIC = '203.0.114.7' // of no machine that answers
const guard = new Guard({ allowHttp: true, allowedHosts: [], allowedNetworks: ['127.0.0.1'] })

async function listen (t: Test, server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => { sockets.add(socket) })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

function endpoints (t: Test, by = guard, tls?: { ca: string }): Endpoints {
  const made = new Endpoints(by, 4, tls)
  t.teardown(async () => { await made.close() })
  return made
}

async function post (to: Endpoints, url: string, timeoutMs = 5000): Promise<Attempt> {
  const request = { url: new URL(url), headers: [], body: Buffer.from('{}'), timeoutMs }
  return await to.post(request, new AbortController().signal)
}

t.test('a redirect to the gateway\'s own machine is an answer like any other, and nothing is sent there', async (t) => {
  let inside = 0
  const insidePort = await listen(t, createServer((_, response) => {
    inside++
    response.end()
  }))
  for (const location of [`http://localhost:${insidePort}/`, `http://127.1:${insidePort}/`, '//localhost/', '/else']) {
    let outside = 0
    const port = await listen(t, createServer((_, response) => {
      outside++
      response.writeHead(301, { location }).end()
    }))
    t.match(await post(endpoints(t), `http://127.0.0.1:${port}/`), { failure: 'endpoint', status: 301 }, location)
    t.equal(outside, 1)
  }
  t.equal(inside, 0)
})

// The resolver of the machine answers what a test says: one answer after the other, the last one for ever.
function resolveTo (t: Test, ...answers: ReadonlyArray<readonly string[]>): { readonly asked: number } {
  const { lookup } = dns
  let asked = 0
  const answering = (_: string, __: unknown, callback: (error: null, addresses: dns.LookupAddress[]) => void): void => {
    const answer = answers[Math.min(asked++, answers.length - 1)] ?? []
    const addresses = answer.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
    setImmediate(() => { callback(null, addresses) })
  }
  Object.assign(dns, { lookup: answering })
  syncBuiltinESMExports()
  t.teardown(() => {
    Object.assign(dns, { lookup })
    syncBuiltinESMExports()
  })
  return { get asked () { return asked } }
}

t.test('a name that changes its address is connected to the address that was judged', async (t) => {
  let calls = 0
  const port = await listen(t, createServer((_, response) => {
    calls++
    response.end()
  }))
  const url = `http://rebinding.example.com:${port}/`
  await t.test('there is one question for each connection', async (t) => {
    const resolver = resolveTo(t, ['127.0.0.1'], [PUBLIC])
    t.match(await post(endpoints(t), url), { failure: undefined, status: 200 })
    t.equal(resolver.asked, 1)
  })
  calls = 0
  const closed = new Guard({ allowHttp: true, allowedHosts: [], allowedNetworks: [] })
  await t.test('a second connection is judged anew', async (t) => {
    const resolver = resolveTo(t, [PUBLIC], ['127.0.0.1'])
    const made = endpoints(t, closed)
    t.match(await post(made, url, 200), { failure: 'endpoint', isRefused: false })
    t.match(await post(made, url), { failure: 'endpoint', isRefused: true, error: /not public/ })
    t.equal(resolver.asked, 2)
  })
  await t.test('one private address among public ones is enough to refuse all', async (t) => {
    for (const inside of ['127.0.0.1', '::1', '::ffff:10.0.0.1', '64:ff9b::7f00:1', '2002:7f00:1::']) {
      resolveTo(t, [PUBLIC, inside])
      t.match(await post(endpoints(t, closed), url), { isRefused: true }, inside)
    }
  })
  await t.test('a name without an address is refused', async (t) => {
    resolveTo(t, [])
    t.match(await post(endpoints(t, closed), url), { failure: 'endpoint', error: /no address/ })
  })
  t.equal(calls, 0)
})

t.test('an endpoint whose certificate is expired, foreign or for another name gets nothing of a message', async (t) => {
  const [authority, foreign] = [new TestAuthority('endpoints'), new TestAuthority('foreign')]
  t.teardown(() => {
    authority.close()
    foreign.close()
  })
  let calls = 0
  const answer = (_: IncomingMessage, response: ServerResponse): void => {
    calls++
    response.end()
  }
  const named = new Guard({ allowHttp: false, allowedHosts: ['localhost'], allowedNetworks: ['127.0.0.1'] })
  for (const [certificate, host, error] of [
    [authority.expiredServer('localhost'), '127.0.0.1', /expired/],
    [foreign.server('localhost'), '127.0.0.1', /certificate/],
    [authority.server('hooks.example.com'), 'localhost', /localhost/]
  ] as const) {
    const port = await listen(t, createTlsServer(certificate, answer))
    t.match(await post(endpoints(t, named, authority), `https://${host}:${port}/`), {
      failure: 'endpoint', status: undefined, isRefused: false, error
    })
  }
  t.equal(calls, 0)
  const port = await listen(t, createTlsServer(authority.server('localhost'), answer))
  t.match(await post(endpoints(t, named, authority), `https://127.0.0.1:${port}/`), { failure: undefined, status: 200 })
})

t.test('headers of an answer are read up to 64 KiB; longer ones are no answer', async (t) => {
  const padded = async (bytes: number) => await listen(t, createServer((_, response) => {
    response.writeHead(503, { 'x-padding': 'x'.repeat(bytes), 'retry-after': '9' }).end()
  }))
  t.match(await post(endpoints(t), `http://127.0.0.1:${await padded(60_000)}/`), {
    failure: 'endpoint', status: 503, retryAfterMs: 9000
  })
  t.match(await post(endpoints(t), `http://127.0.0.1:${await padded(80_000)}/`), {
    failure: 'ambiguous', status: undefined, error: /HEADERS_OVERFLOW/
  })
})

t.test('a connection that the endpoint has closed meanwhile is not used again', async (t) => {
  let connections = 0
  const port = await listen(t, createTcpServer((socket) => {
    connections++
    socket.on('error', () => {})
    // It promises to keep the connection, and closes it.
    socket.once('data', () => { socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n') })
  }))
  const made = endpoints(t)
  for (let count = 1; count <= 5; count++) {
    await until('it is delivered', async () => (await post(made, `http://127.0.0.1:${port}/`)).failure === undefined)
  }
  t.ok(connections >= 5)
})
