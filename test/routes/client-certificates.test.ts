import { renameSync, writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { connect, type ConnectionOptions } from 'node:tls'
import t, { type Test } from 'tap'
import { loadConfig } from '../../src/config.ts'
import { TestAuthority, type Certificate } from '../support/certificates.ts'
import { startGateway, type Gateway } from '../support/gateway.ts'
import { tlsFiles } from '../support/tls-gateway.ts'

const files = tlsFiles(t)
const { authority, ca } = files
const other = new TestAuthority('another authority')
t.teardown(() => { other.close() })

const entry = (id: string, subject: string, scopes: string[]) => ({ id, name: `name-${id}`, subject, scopes })
const ENTRIES = [
  entry('aaaaaaaa', 'spiffe://example/reader', ['read:*/*']),
  entry('bbbbbbbb', 'admin.example', ['configure:*/*', 'write:*/*', 'read:*/*', 'monitor']),
  entry('cccccccc', 'Bücher', ['read:*/*'])
]
const mapping = files.file('certificates.json', JSON.stringify({ certificates: ENTRIES }))
const reader = authority.client('ignored', 'URI:spiffe://example/reader,DNS:admin.example')
const admin = authority.client('ignored', 'DNS:admin.example')
const revoked = authority.client('Bücher')
const named = authority.client('Bücher')

async function start (t: Test, clientAuth: string, client?: Certificate, clientCa = ca): Promise<Gateway> {
  const env = {
    ...files.env,
    AUTH: 'mtls',
    HTTP_TLS_CLIENT_AUTH: clientAuth,
    HTTP_TLS_CLIENT_CA_PATH: files.file('client-ca.pem', clientCa),
    CLIENT_CERTIFICATES_PATH: mapping,
    AUTH_RELOAD_SECONDS: '1'
  }
  return await startGateway(t, env, { ca, ...client })
}

/** What a request with these options is answered, or `refused`. */
async function ask (gateway: Gateway, options: ConnectionOptions): Promise<string> {
  const socket = connect({ port: gateway.port, host: '127.0.0.1', ca, ...options })
  let text = ''
  socket.on('data', (chunk: Buffer) => { text += chunk.toString() })
  socket.on('error', () => {})
  socket.write('GET /v1/whoami HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n')
  await new Promise((resolve) => { socket.once('close', resolve) })
  return /^HTTP\/1.1 (\d+)/.exec(text)?.[1] ?? 'refused'
}

t.test('a certificate may what its entry says, by the strongest kind of its names', async (t) => {
  const asAdmin = await start(t, 'required', admin)
  const stream = await asAdmin.newStream(t)
  t.equal((await asAdmin.publish(stream, 'one')).status, 200)
  t.match((await asAdmin.get('/v1/whoami')).json, { caller: 'name-bbbbbbbb', scheme: 'mtls' })
  const asReader = await start(t, 'optional', reader)
  t.match((await asReader.get('/v1/whoami')).json, { caller: 'name-aaaaaaaa', scheme: 'mtls' })
  t.equal((await asReader.get(`/v1/streams/${stream}/messages`)).status, 200)
  const { status, json } = await asReader.publish(stream, 'two')
  t.equal(status, 403)
  t.match(json, { code: 'access_refused' })
  t.equal(await ask(asReader, named), '200', 'by a common name in UTF-8')
  t.equal(await ask(asReader, authority.client('unknown')), '403', 'valid, and not in the file')
})

t.test('certificates that are not valid count as none, or end the connection', async (t) => {
  const clientCa = ca + authority.revocations(revoked)
  const optional = await start(t, 'optional', undefined, clientCa)
  const required = await start(t, 'required', undefined, clientCa)
  const bad: Array<[what: string, options: ConnectionOptions]> = [
    ['none', {}],
    ['expired', authority.expiredClient('Bücher')],
    ['of another authority', other.client('Bücher')],
    ['revoked', revoked]
  ]
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    for (const [what, options] of bad) {
      t.equal(await ask(optional, { ...options, maxVersion }), '401', `${what}, optional, ${maxVersion}`)
      t.equal(await ask(required, { ...options, maxVersion }), 'refused', `${what}, required, ${maxVersion}`)
    }
    t.equal(await ask(optional, { ...named, maxVersion }), '200')
    t.equal(await ask(required, { ...named, maxVersion }), '200')
  }
})

t.test('a session that is resumed is no more than it was, and nothing after its authority is replaced', async (t) => {
  const gateway = await start(t, 'optional')
  const sessionOf = async (options: ConnectionOptions): Promise<Buffer> => {
    const socket = connect({ port: gateway.port, host: '127.0.0.1', ca, ...options })
    t.teardown(() => { socket.destroy() })
    return await new Promise((resolve) => { socket.once('session', resolve) })
  }
  const sessions = await Promise.all([{}, named, other.client('Bücher')].map(sessionOf))
  const answers = await Promise.all(sessions.map(async (session) => await ask(gateway, { session })))
  t.same(answers, ['401', '200', '401'])
  files.file('client-ca.pem', other.ca)
  await gateway.app.reloadFiles()
  t.equal(await ask(gateway, { session: sessions[1] }), '401')
})

t.test('an entry that is removed ends a waiting read with 401', async (t) => {
  const gateway = await start(t, 'required', admin)
  const stream = await gateway.newStream(t)
  const waiting = gateway.get(`/v1/streams/${stream}/messages?offset=next&wait=30`)
  await delay(300)
  const replace = async (certificates: object[]): Promise<void> => {
    writeFileSync(`${mapping}.new`, JSON.stringify({ certificates }))
    renameSync(`${mapping}.new`, mapping)
    await gateway.app.reloadFiles()
  }
  await replace([])
  t.equal((await waiting).status, 401)
  t.equal((await gateway.get('/v1/whoami')).status, 403)
  await replace(ENTRIES)
  t.equal((await gateway.get('/v1/whoami')).status, 200)
  const audited = gateway.log.filter(({ event }) => event === 'certificates.reloaded')
  t.same(audited.map(({ certificates }) => certificates), [0, ENTRIES.length])
})

t.test('mTLS that lacks something does not start', (t) => {
  const load = (env: Record<string, string>) => () => loadConfig(env, () => '{"certificates":[]}')
  t.throws(load({ AUTH: 'mtls' }), {
    message: /CLIENT_CERTIFICATES_PATH.*HTTP_TLS_CERT_PATH, HTTP_TLS_KEY_PATH, HTTP_TLS_CLIENT_CA_PATH/
  })
  t.throws(load({ CLIENT_CERTIFICATES_PATH: 'x' }), {
    message: /CLIENT_CERTIFICATES_PATH is set, but AUTH does not list mtls/
  })
  t.throws(load({ HTTP_TLS_CLIENT_AUTH: 'required' }), { message: /HTTP_TLS_CLIENT_AUTH needs HTTP_TLS_CERT_PATH/ })
  t.throws(load({ HTTP_TLS_CERT_PATH: 'x' }), { message: /HTTP_TLS_KEY_PATH go together/ })
  t.end()
})
