import { createServer } from 'node:net'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { freePorts } from '../../scripts/setup/ports.mjs'
import { loadConfig } from '../../src/config.ts'
import { testStreamUrl } from '../support/broker.ts'
import { startGateway, type Gateway } from '../support/gateway.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { adminKey, keyFile } from '../support/keyed-gateway.ts'
import { openRaw } from '../support/raw-http.ts'
import { until } from '../support/until.ts'

const admin = adminKey()

interface Operations { gateway: Gateway, port: number, url: string }

async function start (t: Test, env: Record<string, string> = {}): Promise<Operations> {
  const gateway = await startGateway(t, { OPS_PORT: '0', ...env })
  await gateway.app.listenForOperations()
  const port = Number(gateway.log.find(({ msg }) => String(msg).startsWith('health and metrics are open'))?.port)
  return { gateway, port, url: `http://127.0.0.1:${port}` }
}

t.test('health and metrics need no credential on their port, and nothing else is there', async (t) => {
  const path = `${t.testdir({ keys: keyFile(admin) })}/keys`
  const { gateway, url } = await start(t, { AUTH: 'api-keys', API_KEYS_PATH: path })
  for (const path of ['/health/live', '/health/ready', '/metrics']) {
    t.equal((await fetch(url + path)).status, 200, path)
  }
  for (const path of ['/v1/streams', '/v1/whoami', '/docs/', '/openapi.json', '/', '/problems/not_found', '/x']) {
    const { status, headers } = await fetch(url + path, { headers: admin.headers })
    t.equal(status, 404, path)
    t.match(headers.get('content-type'), 'application/problem+json')
  }
  const published = await fetch(`${url}/v1/streams/x/messages/raw`, { method: 'POST', body: 'x' })
  t.equal(published.status, 404)
  t.equal((await gateway.get('/health/live')).status, 200)
  t.equal((await gateway.get('/health/ready')).status, 200)
  t.equal((await fetch(`${gateway.url}/metrics`, { headers: admin.headers })).status, 404, 'it has left the other port')
  t.equal((await gateway.get('/v1/whoami')).status, 401)
})

t.test('web pages of strangers and what is not HTTP are refused there too', async (t) => {
  const { port, url } = await start(t)
  t.equal((await fetch(`${url}/metrics`, { headers: { origin: 'https://evil.example' } })).status, 403)
  const rebound = await openRaw(t, port)
  rebound.send('GET /metrics HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n')
  t.match(await rebound.closed(), /^HTTP\/1.1 421/)
  const nonsense = await openRaw(t, port)
  nonsense.send('nonsense\r\n\r\n')
  t.match(await nonsense.closed(), /^HTTP\/1.1 400[^]*"code":"bad_request"/)
  const connections = await Promise.all(Array.from({ length: 100 }, async () => await openRaw(t, port)))
  const tooMany = await openRaw(t, port)
  t.equal(await tooMany.closed(), '')
  for (const { socket } of connections) socket.destroy()
  await until('it is free again', async () => await fetch(`${url}/health/live`).then(({ ok }) => ok, () => false))
})

t.test('the port answers while the gateway is not ready and requests are in flight, and closes with it', async (t) => {
  const { gateway, port, url } = await start(t, { DRAIN_DELAY_MS: '300' })
  const stream = await gateway.newStream(t)
  const publish = await openRaw(t, gateway.port)
  publish.send(`POST /v1/streams/${stream}/messages/raw HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\na`)
  const idle = await openRaw(t, port)
  await delay(100)
  const ended = gateway.app.shutDown()
  t.equal((await fetch(`${url}/health/ready`)).status, 503)
  await until('the other port is closed', async () =>
    await fetch(`${gateway.url}/health/live`).then(() => false, () => true))
  t.equal((await fetch(`${url}/health/live`)).status, 200)
  t.match(await (await fetch(`${url}/metrics`)).text(), 'http_request_duration_seconds')
  publish.send('b')
  t.match(await publish.received(/draining/), /^HTTP\/1.1 503/, 'the request in flight is answered')
  await ended
  await t.rejects(fetch(`${url}/health/live`))
  await idle.closed()
})

t.test('one port for both is refused by its name', (t) => {
  t.throws(() => loadConfig({ OPS_PORT: '8080' }, () => ''), { message: /OPS_PORT and HTTP_PORT must differ/ })
  t.doesNotThrow(() => loadConfig({ OPS_PORT: '0', HTTP_PORT: '0' }, () => ''))
  t.end()
})

t.test('a port for operations that is in use is one line', async (t) => {
  const [port = 0] = await freePorts(1)
  const other = createServer().listen(port, '127.0.0.1')
  await once(other, 'listening')
  t.teardown(() => { other.close() })
  const gateway = new GatewayProcess({ env: { RABBITMQ_STREAM_URL: testStreamUrl(), OPS_PORT: String(port) } })
  t.match(await gateway.ended, { code: 1 })
  t.match(gateway.output, /^Cannot listen on port \d+ of 127.0.0.1 \(EADDRINUSE\)[^\n]*set OPS_PORT to another port$/m)
})
