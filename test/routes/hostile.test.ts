import t from 'tap'
import { testStreamUrl } from '../support/broker.ts'
import { startGateway, type Answer } from '../support/gateway.ts'
import { FaultProxy } from '../support/proxy.ts'
import { openRaw } from '../support/raw-http.ts'
import { exactly } from '../support/exactly.ts'

const gateway = await startGateway(t, { HTTP_MAX_BODY_BYTES: '4000000', HTTP_BODY_BUDGET_BYTES: '6200000' })
const JSON_TYPE = { 'content-type': 'application/json' }
const NDJSON_TYPE = { 'content-type': 'application/x-ndjson' }

t.test('a client that leaves ends its waiting read', async (t) => {
  const stream = await gateway.newStream(t)
  const raw = await openRaw(t, gateway.port)
  raw.send(`GET /v1/streams/${stream}/messages?wait=60 HTTP/1.1\r\nHost: x\r\nX-Request-Id: leaver\r\n\r\n`)
  // A second read on the same connection waits behind the first; it ends, too.
  raw.send(`GET /v1/streams/${stream}/messages?wait=60 HTTP/1.1\r\nHost: x\r\nX-Request-Id: leaver\r\n\r\n`)
  await until(() => gateway.app.broker.stats().readers > 0)
  raw.socket.destroy()
  const left = (): number => {
    return gateway.log.filter(({ reqId, status }) => reqId === 'leaver' && status === 'client gone').length
  }
  await until(() => left() === 2)
  t.same(gateway.log.filter(({ level }) => Number(level) >= 50), [], 'which is not an error')
})

t.test('answers that no client fetched give their memory back', async (t) => {
  const stream = await gateway.newStream(t)
  const line = `${'x'.repeat(99_999)}\n`
  for (let n = 0; n < 5; n++) {
    await gateway.request('POST', `/v1/streams/${stream}/messages/lines`, { body: line.repeat(20) })
  }
  const usedBefore = gateway.app.broker.stats().readBudgetUsedBytes
  const raw = await openRaw(t, gateway.port)
  raw.socket.pause()
  const path = `/v1/streams/${stream}/messages`
  const get = `GET ${path}?maxBytes=8000000&limit=80 HTTP/1.1\r\nHost: x\r\nX-Request-Id: hoarder\r\n\r\n`
  raw.send(get + get + get)
  await until(() => gateway.app.broker.stats().readBudgetUsedBytes > usedBefore)
  raw.socket.destroy()
  await until(() => gateway.log.filter(({ reqId }) => reqId === 'hoarder').length === 3)
  t.same((await gateway.get(`/v1/streams/${stream}/messages?limit=1`)).status, 200)
})

t.test('a client that leaves in the middle of its lines has published the lines that it sent whole', async (t) => {
  const stream = await gateway.newStream(t)
  const raw = await openRaw(t, gateway.port)
  const path = `/v1/streams/${stream}/messages`
  const headers = 'Host: x\r\nX-Request-Id: quitter\r\nTransfer-Encoding: chunked'
  raw.send(`POST ${path}/lines HTTP/1.1\r\n${headers}\r\n\r\n9\r\nwhole\nhal\r\n`)
  await retry(async () => (await gateway.get(`${path}?wait=1`)).text.includes('whole') || undefined)
  raw.socket.destroy()
  await until(() => gateway.log.some(({ reqId }) => reqId === 'quitter'))
  t.equal((await gateway.get(`/v1/streams/${stream}/messages/lines`)).text, 'whole\n')
  t.same(gateway.log.filter(({ level }) => Number(level) >= 50), [])
})

t.test('a client that leaves while its lines are on their way to the broker leaves nothing behind', async (t) => {
  const stream = await gateway.newStream(t)
  const { hostname, port } = new URL(testStreamUrl())
  const proxy = await FaultProxy.listen({ host: hostname, port: Number(port) })
  t.teardown(async () => { await proxy.close() })
  const slow = await startGateway(t, {
    RABBITMQ_STREAM_URL: `rabbitmq-stream://guest:guest@${proxy.host}:${proxy.port}/%2f`,
    RABBITMQ_ADDRESS_MODE: 'configured'
  })
  proxy.pause()
  const raw = await openRaw(t, slow.port)
  const path = `/v1/streams/${stream}/messages/lines`
  const headers = 'Host: x\r\nX-Request-Id: early\r\nTransfer-Encoding: chunked'
  raw.send(`POST ${path}?publisher=p&firstPublishingId=1 HTTP/1.1\r\n${headers}\r\n\r\n9\r\nwhole\nhal\r\n`)
  await until(() => slow.app.broker.stats().publishers === 1)
  raw.socket.destroy()
  await until(() => slow.log.some(({ reqId }) => reqId === 'early'))
  proxy.resume()
  // Its turn comes after the turn of the client that left.
  const more = await slow.request('POST', `${path}?publisher=p&firstPublishingId=2`, { body: 'more' })
  t.match(more.json, { confirmed: 1 })
  t.equal(slow.app.totalBodyBytes(), 0)
  t.equal(slow.app.broker.stats().publishBudgetUsedBytes, 0)
  t.equal((await gateway.get(path)).text, 'more\n', 'nothing was sent for the client that had left')
})

t.test('bodies held at once are bounded, and their memory comes back', async (t) => {
  const stream = await gateway.newStream(t)
  const holders = await Promise.all([1, 2].map(async () => await openRaw(t, gateway.port)))
  const half = Buffer.alloc(2_400_000, 0x20)
  for (const holder of holders) {
    const headers = 'Host: x\r\nContent-Type: application/json\r\nContent-Length: 3000000'
    holder.send(`POST /v1/streams/${stream}/messages HTTP/1.1\r\n${headers}\r\n\r\n`)
    holder.send(half)
  }
  await until(() => gateway.app.totalBodyBytes() === 6_000_000)
  const path = `/v1/streams/${stream}/messages/raw`
  const send = async () => await gateway.request('POST', path, { body: Buffer.alloc(400_000) })
  const overloaded = { code: 'overloaded', retryable: true, sideEffects: 'none' }
  t.match(await send(), { json: overloaded, headers: { 'retry-after': '1' } })
  for (const holder of holders) holder.socket.destroy()
  await until(() => gateway.app.totalBodyBytes() === 0)
  t.same((await send()).json, { confirmed: 1, duplicates: 0 })
  await until(() => gateway.app.totalBodyBytes() === 0)
})

t.test('a refused body is read to its end, so the client gets its answer and keeps its connection', async (t) => {
  const raw = await openRaw(t, gateway.port)
  const headers = 'Host: x\r\nContent-Type: application/json\r\nContent-Length: 6000000'
  raw.send(`POST /v1/streams/a/messages HTTP/1.1\r\n${headers}\r\n\r\n`)
  await raw.received(/^HTTP\/1\.1 413 /)
  raw.send(Buffer.alloc(6_000_000))
  raw.send('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n')
  t.match(await raw.received(/HTTP\/1\.1 200 OK/), /"code":"payload_too_large"/)
})

t.test('a small body that is refused holds up nothing behind it', async (t) => {
  const usualMs = async (ask: () => Promise<Answer>): Promise<number> => {
    const times: number[] = []
    for (let n = 0; n < 20; n++) {
      const startMs = performance.now()
      t.match(await ask(), { status: 400 })
      times.push(performance.now() - startMs)
    }
    return times.sort((a, b) => a - b)[10] ?? Infinity
  }
  const path = '/v1/streams/any/messages?unknown=1'
  const withoutMs = await usualMs(async () => await gateway.get(path))
  const withMs = await usualMs(async () => await gateway.request('POST', path, { json: { messages: [] } }))
  // An answer that waits for what the client sends comes with the kernel's delayed acknowledgement, 40 ms late.
  t.ok(withMs < withoutMs + 30, `${withMs} ms with a body, ${withoutMs} ms without one`)
})

t.test('nesting as deep as a body can hold is refused or stored, and does not end the process', async (t) => {
  const stream = await gateway.newStream(t)
  const deep = (open: string, close: string, depth: number): string => open.repeat(depth) + close.repeat(depth)
  const path = `/v1/streams/${stream}/messages`
  const deepObject = deep('{"a":', '}', 200_000).replace(':}', ':1}')
  for (const body of [deep('[', ']', 500_000), deepObject]) {
    const json = await gateway.request('POST', path, { headers: JSON_TYPE, body: `{"messages":[{"body":${body}}]}` })
    const errors = exactly({ pointer: '/messages/0/body' })
    t.match(json.json, { status: 400, code: 'validation_failed', errors })
    const line = await gateway.request('POST', path, { headers: NDJSON_TYPE, body: `{"body":${body}}\n` })
    t.match(line.json, { status: 400, errors: exactly({ pointer: '/0/body' }) })
    const bare = await gateway.request('PUT', `/v1/streams/${stream}`, {
      headers: JSON_TYPE,
      body: body.slice(0, 20_000) + body.slice(-20_000)
    })
    t.equal(bare.status, 400)
  }
  const typed = await gateway.request('POST', path, {
    headers: JSON_TYPE,
    body: `{"messages":[{"body":1,"applicationProperties":${deepObject}}]}`
  })
  t.match(typed.json, { status: 400 })
  t.match((await gateway.get('/health/live')).json, { status: 'live' })
})

t.test('deeply nested JSON that is stored raw can be read', async (t) => {
  const stream = await gateway.newStream(t)
  const depth = 200_000
  const path = `/v1/streams/${stream}/messages`
  await gateway.request('POST', `${path}/raw`, { headers: JSON_TYPE, body: '['.repeat(depth) + ']'.repeat(depth) })
  t.equal((await gateway.get(`${path}/0/raw`)).bytes.length, 2 * depth)
  t.match((await gateway.get(`${path}?body=text`)).json, { messages: exactly({ bodyEncoding: 'text' }) })
})

async function until (isDone: () => boolean): Promise<void> {
  await retry(async () => isDone() || undefined)
}

/**
 * Tries again until there is a result. Each try goes through the gateway's event loop, so this waits for the loop and
 * not for a clock.
 */
async function retry<T> (attempt: () => Promise<T | undefined>): Promise<T> {
  const endMs = performance.now() + 20_000
  for (;;) {
    const result = await attempt()
    if (result !== undefined) return result
    if (performance.now() > endMs) throw new Error('it did not happen')
    await gateway.get('/health/live')
  }
}
