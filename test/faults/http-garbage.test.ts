import { randomBytes } from 'node:crypto'
import t from 'tap'
import { startGateway } from '../support/gateway.ts'
import { askRaw, openRaw, statusesOf } from '../support/raw-http.ts'

// Bytes that are not HTTP, behind requests that are.
const gateway = await startGateway(t)

async function ask (bytes: string | Buffer): Promise<string> {
  return await askRaw(gateway.port, bytes)
}

const LIVE = 'GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n'
const GARBAGE: ReadonlyArray<string | Buffer> = [
  'NONSENSE\r\n\r\n',
  '\x00\x01\x02',
  'GET / HTTP/9.9\r\n\r\n',
  'GET /a b HTTP/1.1\r\n\r\n',
  '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
  'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n',
  Buffer.concat([Buffer.from('\xff'), randomBytes(50_000)])
]

function publish (stream: string, body: string): string {
  const head = `POST /v1/streams/${stream}/messages/raw HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`
  return head + body
}

t.test('a request is answered although garbage follows it in one packet, which is then refused', async (t) => {
  const stream = await gateway.newStream(t)
  const requests = [LIVE, publish(stream, 'one'), `HEAD /v1/streams/${stream} HTTP/1.1\r\nHost: x\r\n\r\n`]
  for (const garbage of GARBAGE) {
    for (const request of requests) {
      const answers = await ask(Buffer.concat([Buffer.from(request), Buffer.from(garbage)]))
      t.same(statusesOf(answers), [200, 400], JSON.stringify(request + garbage.toString('latin1', 0, 20)))
      t.match(answers, /"code":"bad_request"[^]*"sideEffects":"none"/)
    }
  }
  t.match((await gateway.get(`/v1/streams/${stream}`)).json, { nextOffset: GARBAGE.length }, 'each is stored once')
})

t.test('all requests before garbage are answered in their order', async (t) => {
  const stream = await gateway.newStream(t)
  const requests = Array.from({ length: 50 }, (_, n) => n % 2 === 0 ? publish(stream, `${n}`) : LIVE)
  const answers = await ask(`${requests.join('')}NONSENSE\r\n\r\n`)
  t.same(statusesOf(answers), [...requests.map(() => 200), 400])
  t.match((await gateway.get(`/v1/streams/${stream}`)).json, { nextOffset: 25 })
})

t.test('a poll that waits is answered although garbage follows it, and more of it comes meanwhile', async (t) => {
  const stream = await gateway.newStream(t)
  const connection = await openRaw(t, gateway.port)
  connection.send(`GET /v1/streams/${stream}/messages?wait=30 HTTP/1.1\r\nHost: x\r\n\r\nNONSENSE\r\n\r\n`)
  for (let packet = 0; packet < 5; packet++) {
    connection.send(randomBytes(1000))
    await gateway.get('/health/live')
  }
  await gateway.publish(stream, 'at last')
  const answers = await connection.closed()
  t.same(statusesOf(answers), [200, 400])
  t.match(answers, /at last/)
})

t.test('a client that leaves while its answer is owed leaves nothing behind', async (t) => {
  const stream = await gateway.newStream(t)
  const connection = await openRaw(t, gateway.port)
  connection.send(`GET /v1/streams/${stream}/messages?wait=30 HTTP/1.1\r\nHost: x\r\n\r\nNONSENSE\r\n\r\n`)
  await gateway.get('/health/live')
  connection.socket.destroy()
  await gateway.publish(stream, 'too late')
  t.match((await gateway.get('/health/live')).status, 200)
})

t.test('a request that asks to close is answered, and garbage behind it gets no answer', async (t) => {
  const answers = await ask('GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nNONSENSE\r\n\r\n')
  t.same(statusesOf(answers), [200])
})

t.test('a request whose own body is garbage is refused after the answers before it', async (t) => {
  const stream = await gateway.newStream(t)
  const chunked = `POST /v1/streams/${stream}/messages/raw HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`
  t.same(statusesOf(await ask(`${LIVE}${publish(stream, 'a')}${chunked}nonsense`)), [200, 200, 400])
  t.same(statusesOf(await ask(`${chunked}nonsense`)), [400])
  const large = `GET / HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`
  t.same(statusesOf(await ask(`${LIVE}${large}`)), [200, 431])
  t.match((await gateway.get(`/v1/streams/${stream}`)).json, { nextOffset: 1 })
})
