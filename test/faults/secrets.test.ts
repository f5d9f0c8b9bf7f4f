import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { testManagementUrl, testStreamUrl } from '../support/broker.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { openRaw } from '../support/raw-http.ts'

t.setTimeout(120_000)

const USER = 'user-Zq8x'
const SECRET = 's3cr3t-Vw5k'
const BASIC = Buffer.from(`${USER}:${SECRET}`).toString('base64')
// The secret as it may stand in a JSON text, a URL, a SASL frame, an Authorization header, or a dump of bytes.
const TRACES = [
  SECRET,
  encodeURIComponent(`${SECRET}/`),
  Buffer.from(SECRET).toString('base64').slice(1, -3),
  BASIC,
  Buffer.from(SECRET).toString('hex')
]
const KEY = 'PRIVATE-KEY-Rt7m'
const READ_PATHS = [
  '/health/live', '/health/ready', '/metrics', '/openapi.json', '/docs', '/docs/json',
  '/docs/static/swagger-initializer.js', '/problems/broker_protocol_error', '/v1/streams', '/v1/streams/a',
  '/v1/streams/a/messages', '/v1/streams/a/consumers', '/v1/streams/a/publishers', '/v1/streams/a/consumers/c/offset',
  '/nowhere', '/v1/streams/%00', '/v1/streams?limit=x', `/v1/streams/a?password=${SECRET}x`
]
const CHANGES = [
  ['PUT', '/v1/streams/a'],
  ['DELETE', '/v1/streams/a'],
  ['POST', '/v1/streams/a/messages/raw'],
  ['POST', '/v1/streams/a/messages/lines?publisher=p&firstPublishingId=1'],
  ['POST', '/v1/streams/a/messages']
] as const

const hostOf = (url: string): string => new URL(url.replace(/^rabbitmq-stream/, 'http')).host

/** All that an operator or a caller can see of a gateway that has all kinds of trouble. */
async function everythingSaid (t: Test, env: Record<string, string>): Promise<string> {
  const timeouts = { RABBITMQ_CONNECT_TIMEOUT_MS: '1000', RABBITMQ_MANAGEMENT_TIMEOUT_MS: '1000' }
  const gateway = new GatewayProcess({ env: { LOG_LEVEL: 'trace', ...timeouts, ...env } })
  t.teardown(async () => await gateway.end('SIGKILL'))
  await Promise.race([gateway.untilListening(), gateway.ended]).catch(() => {})
  const said: string[] = []
  if (gateway.isRunning) {
    const credentials = { authorization: `Bearer ${SECRET}`, cookie: `session=${SECRET}` }
    for (const path of READ_PATHS) {
      const answer = await fetch(gateway.url + path, { headers: credentials })
      said.push(await described(path.split('?', 1)[0] ?? '', answer))
    }
    for (const [method, path] of CHANGES) {
      const body = method === 'POST' ? { body: `a body with ${SECRET} in it` } : {}
      said.push(await described(`${method} ${path}`, await fetch(gateway.url + path, { method, ...body })))
    }
    const raw = await openRaw(t, gateway.port)
    raw.send(`GET / HTTP/9.9\r\nAuthorization: Basic ${BASIC}\r\n\r\n`)
    said.push(await raw.closed())
    said.push(readFileSync(`/proc/${gateway.pid}/cmdline`, 'utf8'))
  }
  await gateway.end()
  return `${gateway.output}\n${said.join('\n')}`
}

async function described (what: string, answer: Response): Promise<string> {
  return `${what} ${answer.status} ${JSON.stringify([...answer.headers])} ${await answer.text()}`
}

function keepsSecrets (t: Test, said: string, expected: RegExp): void {
  t.match(said, expected)
  for (const trace of [...TRACES, KEY]) t.notOk(said.includes(trace), `no trace of ${trace}: ${context(said, trace)}`)
}

function context (text: string, part: string): string {
  const at = text.indexOf(part)
  return at < 0 ? '' : text.slice(Math.max(0, at - 200), at + 100)
}

async function listen (t: Test, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

t.test('credentials that the broker and the management API refuse are shown nowhere', async (t) => {
  const said = await everythingSaid(t, {
    RABBITMQ_STREAM_URL: `rabbitmq-stream://${USER}:${SECRET}@${hostOf(testStreamUrl())}/%2f`,
    RABBITMQ_MANAGEMENT_URL: `http://${USER}:${SECRET}@${hostOf(testManagementUrl())}`
  })
  keepsSecrets(t, said, /broker_protocol_error/)
  t.notOk(said.includes(USER), context(said, USER))
})

t.test('a broker that does not answer, hangs up or echoes does not make the gateway show its secrets', async (t) => {
  const echo = await listen(t, createServer((socket) => { socket.on('error', () => {}).pipe(socket) }))
  const silent = await listen(t, createServer((socket) => { socket.on('error', () => {}) }))
  const rude = await listen(t, createServer((socket) => { socket.on('error', () => {}).resetAndDestroy() }))
  for (const port of [echo, silent, rude, 1]) {
    const said = await everythingSaid(t, {
      RABBITMQ_STREAM_URL: `rabbitmq-stream://${USER}:${SECRET}@127.0.0.1:${port}`,
      RABBITMQ_MANAGEMENT_URL: `http://${USER}:${SECRET}@127.0.0.1:${port}`
    })
    keepsSecrets(t, said, /broker_unavailable|broker_protocol_error/)
  }
})

t.test('secrets that come from files are shown nowhere when all is well', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'secrets-'))
  t.teardown(() => { rmSync(directory, { recursive: true }) })
  const file = join(directory, 'stream-url')
  writeFileSync(file, `${testStreamUrl()}\n`)
  const settings = { RABBITMQ_STREAM_URL_FILE: file, RABBITMQ_MANAGEMENT_URL: testManagementUrl() }
  const said = await everythingSaid(t, settings)
  keepsSecrets(t, said, /"status":"ready"/)
  t.notMatch(said, /guest:guest|:guest@/)
})

t.test('the message about a bad setting does not show its value', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'secrets-'))
  t.teardown(() => { rmSync(directory, { recursive: true }) })
  const key = join(directory, 'key.pem')
  writeFileSync(key, `-----BEGIN PRIVATE KEY-----\n${KEY}\n-----END PRIVATE KEY-----\n`)
  const bad: Array<Record<string, string>> = [
    { RABBITMQ_STREAM_URL: `rabbitmq-stream://${USER}:${SECRET}@host:99999` },
    { RABBITMQ_STREAM_URL: `${SECRET}` },
    { RABBITMQ_MANAGEMENT_URL: `ftp://${USER}:${SECRET}@host` },
    { RABBITMQ_STREAM_URL_FILE: `/nowhere/${SECRET}` },
    { RABBITMQ_STREAM_PASSWORD: SECRET, HTTP_PORT: SECRET }
  ]
  for (const env of bad) keepsSecrets(t, await everythingSaid(t, env), /^Bad configuration: /)
  const badTls = {
    RABBITMQ_STREAM_URL: `rabbitmq-stream+tls://${USER}:${SECRET}@${hostOf(testStreamUrl())}`,
    RABBITMQ_TLS_CERT_PATH: key,
    RABBITMQ_TLS_KEY_PATH: key,
    RABBITMQ_TLS_CA_PATH: key
  }
  keepsSecrets(t, await everythingSaid(t, badTls), /broker_unavailable|Bad configuration/)
})
