import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { testStreamUrl } from '../support/broker.ts'
import { TestAuthority } from '../support/certificates.ts'
import { exactly } from '../support/exactly.ts'
import { startGateway } from '../support/gateway.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { openRaw } from '../support/raw-http.ts'
import { shakeHands, tlsFiles } from '../support/tls-gateway.ts'
import { until } from '../support/until.ts'

const files = tlsFiles(t)
const { authority, ca } = files
const gateway = await startGateway(t, files.env, { ca })
const other = new TestAuthority('another authority')
t.teardown(() => { other.close() })

async function shake (t: Test, options: ConnectionOptions = {}): Promise<TLSSocket | string> {
  return await shakeHands(t, gateway.port, { ca, ...options })
}

async function serialNumber (t: Test): Promise<string> {
  const socket = await shake(t, { rejectUnauthorized: false })
  return typeof socket === 'string' ? socket : socket.getPeerCertificate().serialNumber
}

async function figure (pattern: RegExp): Promise<number | undefined> {
  const [, value] = pattern.exec((await gateway.get('/metrics')).text) ?? []
  return value === undefined ? undefined : Number(value)
}

const failed = async (reason: string): Promise<number> =>
  await figure(new RegExp(`tls_handshakes_failed_total\\{reason="${reason}"\\} (\\d+)`)) ?? 0

t.test('streams are published to and read over TLS, bodies that arrive slowly and waiting reads too', async (t) => {
  t.match(gateway.url, /^https:/)
  t.match(gateway.log.map(({ msg }) => msg).join('\n'), /listening at https:/)
  const stream = await gateway.newStream(t)
  async function * chunks () {
    for (let n = 0; n < 50; n++) {
      yield Buffer.from(`line ${n}\n`.repeat(1000))
      await delay(1)
    }
  }
  const { json } = await gateway.request('POST', `/v1/streams/${stream}/messages/lines`, { body: chunks() })
  t.same(json, { confirmed: 50_000, duplicates: 0 })
  const large = 'x'.repeat(900 * 1024)
  t.equal((await gateway.publish(stream, 'json')).status, 200)
  t.equal((await gateway.request('POST', `/v1/streams/${stream}/messages/raw`, { body: large })).status, 200)
  const read = await gateway.get(`/v1/streams/${stream}/messages/lines?offset=50001&maxBytes=10000000`)
  t.equal(read.text.length, large.length + 1)
  const waiting = gateway.get(`/v1/streams/${stream}/messages?offset=next&wait=30`)
  await delay(100)
  await gateway.publish(stream, 'awaited')
  t.match((await waiting).json, { messages: exactly({ body: 'awaited' }) })
})

t.test('a client that leaves ends its waiting read', async (t) => {
  const stream = await gateway.newStream(t)
  const leaving = new AbortController()
  const poll = gateway.request('GET', `/v1/streams/${stream}/messages?offset=next&wait=60`, { signal: leaving.signal })
  await delay(100)
  leaving.abort()
  await t.rejects(poll)
  await until('it is logged', () => gateway.log.some(({ stream: name, status }) =>
    name === stream && status === 'client gone'))
})

t.test('requests one after the other on a connection are answered, and what is not HTTP is a problem', async (t) => {
  const connection = await openRaw(t, gateway.port, { ca })
  connection.send('GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n'.repeat(3) + 'nonsense\r\n\r\n')
  const text = await connection.closed()
  t.equal(text.match(/"status":"live"/g)?.length, 3)
  t.match(text, /HTTP\/1.1 400 Bad Request[^]*"code":"bad_request"/)
})

t.test('TLS 1.2 and 1.3 are spoken, older versions are refused', async (t) => {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const socket = await shake(t, { minVersion: version, maxVersion: version })
    t.equal(typeof socket === 'string' ? socket : socket.getProtocol(), version)
  }
  const before = await failed('version')
  for (const version of ['TLSv1', 'TLSv1.1'] as const) {
    const old = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' }
    t.equal(await shake(t, old), 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', version)
  }
  t.equal(await failed('version'), before + 2)
})

t.test('plain HTTP is closed without an answer, and counted', async (t) => {
  const before = await failed('plain_http')
  const connection = await openRaw(t, gateway.port)
  connection.send('GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n')
  t.notMatch(await connection.closed(), /HTTP/)
  t.equal(await failed('plain_http'), before + 1)
  t.equal((await gateway.get('/health/live')).status, 200)
})

t.test('a client that does not trust the certificate is counted', async (t) => {
  const before = await failed('server_certificate')
  const path = files.file('other-ca.pem', other.ca)
  const address = `127.0.0.1:${gateway.port}`
  const client = spawn('openssl', ['s_client', '-connect', address, '-CAfile', path, '-verify_return_error'])
  await once(client, 'close')
  t.equal(await failed('server_certificate'), before + 1)
})

t.test('a new certificate is used by new connections, and open ones go on', async (t) => {
  const open = await openRaw(t, gateway.port, { ca })
  const before = await serialNumber(t)
  files.write(authority.server('localhost'))
  await gateway.app.reloadFiles()
  t.not(await serialNumber(t), before)
  t.match(gateway.log.at(-1), { level: 30, setting: 'HTTP_TLS_CERT_PATH', validTo: /^20\d\d-/ })
  open.send('GET /health/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n')
  t.match(await open.closed(), /"status":"live"/)
  const end = await figure(/tls_certificate_expiry_timestamp_seconds (\d+)/) ?? 0
  const days = (end - Date.now() / 1000) / 86_400
  t.ok(days > 1.9 && days < 2.1, `it ends in ${days} days`)
  t.match(gateway.log.map(({ msg }) => msg).join('\n'), 'the TLS certificate ends in less than 14 days: renew it')
})

t.test('files that cannot be used are one error line, and the old certificate stays in use', async (t) => {
  const good = authority.server('localhost')
  const another = authority.server('localhost')
  const before = await serialNumber(t)
  const bad: Array<[what: string, cert: string, key: string, line: RegExp]> = [
    ['another key', good.cert, another.key, /HTTP_TLS_KEY_PATH is not the key of the first certificate/],
    ['half a certificate', good.cert.slice(0, 200), good.key, /HTTP_TLS_CERT_PATH does not hold a certificate/],
    ['no key', good.cert, 'nothing', /HTTP_TLS_KEY_PATH does not hold a private key/],
    ['nothing', '', '', /HTTP_TLS_CERT_PATH does not hold a certificate/]
  ]
  for (const [what, cert, key, line] of bad) {
    const known = gateway.log.length
    files.write({ cert, key })
    await gateway.app.reloadFiles()
    const errors = gateway.log.slice(known).filter(({ level }) => level === 50)
    t.equal(errors.length, 1, what)
    t.match(errors[0], { msg: /^a file was read again and is not valid/, reason: line })
    t.notMatch(JSON.stringify(errors), 'PRIVATE KEY')
    t.equal(await serialNumber(t), before, what)
    t.equal(await figure(/reload_ok\{setting="HTTP_TLS_CERT_PATH"\} (\d)/), 0)
  }
  files.write(good)
  await gateway.app.reloadFiles()
  t.not(await serialNumber(t), before)
  t.equal(await figure(/reload_ok\{setting="HTTP_TLS_CERT_PATH"\} (\d)/), 1)
})

t.test('no request is lost while certificates are replaced under load', async (t) => {
  const stream = await gateway.newStream(t)
  const done = new AbortController()
  let sent = 0
  // Some on connections that stay, some on new ones.
  const clients = Array.from({ length: 8 }, async (_, client) => {
    const headers: Record<string, string> = client % 2 === 0 ? {} : { connection: 'close' }
    while (!done.signal.aborted) {
      const { status } = await gateway.request('POST', `/v1/streams/${stream}/messages/raw`, { headers, body: 'x' })
      if (status !== 200) throw new Error(`status ${status}`)
      sent++
    }
  })
  const certificates = Array.from({ length: 10 }, () => authority.server('localhost'))
  for (const certificate of certificates) {
    files.write(certificate)
    await gateway.app.reloadFiles()
    await delay(50)
  }
  done.abort()
  await Promise.all(clients)
  t.ok(sent > 20, `${sent} requests`)
})

t.test('a bad certificate at the start is one line, SIGHUP reads it again, and the log says https', async (t) => {
  const { cert, key } = authority.server('localhost')
  const env = { ...files.env, RABBITMQ_STREAM_URL: testStreamUrl() }
  files.write({ cert, key: authority.server('localhost').key })
  const bad = new GatewayProcess({ env })
  t.match(await bad.ended, { code: 1 })
  t.match(bad.output, /^Bad configuration: HTTP_TLS_KEY_PATH is not the key[^\n]*\n$/)
  const missing = new GatewayProcess({ env: { ...env, HTTP_TLS_CERT_PATH: '/none' } })
  t.match(await missing.ended, { code: 1 })
  t.match(missing.output, /^Bad configuration: HTTP_TLS_CERT_PATH names a file that cannot be read\n$/)

  files.write({ cert, key })
  const good = await GatewayProcess.start({ env })
  t.teardown(async () => await good.end('SIGKILL'))
  t.match(good.url, /^https:/)
  files.write(authority.server('localhost'))
  good.child.kill('SIGHUP')
  await good.said(/a file was read again, and what is in it is in use/)
  t.match(await good.end(), { code: 0 })
})
