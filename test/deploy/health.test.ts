import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type Server } from 'node:net'
import t, { type Test } from 'tap'
import { freePorts } from '../../scripts/setup/ports.mjs'
import { runHealth } from '../../src/commands/health.ts'
import { keyFile } from '../support/keyed-gateway.ts'
import { startGateway } from '../support/gateway.ts'
import { inTerminal, type CommandRun } from '../support/terminal.ts'
import { tlsFiles } from '../support/tls-gateway.ts'

const health = async (env: Record<string, string>, question?: string): Promise<CommandRun> =>
  await inTerminal(async (terminal) => await runHealth(question, env, terminal))

const READY: CommandRun = { code: 0, stdout: 'ready\n', stderr: '' }
const LIVE: CommandRun = { code: 0, stdout: 'live\n', stderr: '' }

/** The settings with which health asks a gateway that has taken a free port. */
async function start (t: Test, env: Record<string, string> = {}): Promise<Record<string, string>> {
  const { port } = await startGateway(t, env)
  return { ...env, HTTP_PORT: String(port) }
}

async function listen (t: Test, server: Server): Promise<Record<string, string>> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close() })
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('no address')
  return { HTTP_PORT: String(address.port) }
}

t.test('a gateway is ready and live, whatever addresses it listens on', async (t) => {
  const env = await start(t)
  t.same(await health(env), READY)
  t.same(await health(env, 'ready'), READY)
  t.same(await health(env, 'live'), LIVE)
  t.same(await health({ ...env, HTTP_HOST: '0.0.0.0' }), READY)
  t.same(await health({ ...env, HTTP_HOST: 'localhost' }), READY)
})

t.test('health needs no credential, no name of the gateway and no prefix', async (t) => {
  const API_KEYS_PATH = tlsFiles(t).file('keys.json', keyFile())
  t.same(await health(await start(t, {
    AUTH: 'api-keys', API_KEYS_PATH, HTTP_ALLOWED_HOSTS: 'gateway.example', HTTP_PATH_PREFIX: '/gw'
  })), READY)
})

t.test('with TLS health asks in TLS, whoever the certificate is for, and reads no file', async (t) => {
  const { env, authority, write } = tlsFiles(t)
  write(authority.expiredServer('gateway.example'))
  const settings = await start(t, env)
  t.same(await health(settings), READY)
  t.same(await health({ ...settings, HTTP_TLS_CERT_PATH: '/gone', HTTP_TLS_KEY_PATH: '/gone' }), READY)
  const { HTTP_PORT = '' } = settings
  t.match(await health({ HTTP_PORT }), { code: 1, stderr: /^not ready: 127\.0\.0\.1 port \d+ does not answer: .*\n$/ })
})

t.test('where clients need a certificate, health says what to do, and the port for operations helps', async (t) => {
  const { env, ca, file } = tlsFiles(t)
  const [port = 0] = await freePorts(1)
  const certificates = { certificates: [{ id: 'billing1', name: 'a', subject: 'a', scopes: ['read:*/*'] }] }
  const required = {
    ...env,
    AUTH: 'mtls',
    HTTP_TLS_CLIENT_AUTH: 'required',
    HTTP_TLS_CLIENT_CA_PATH: file('ca.pem', ca),
    CLIENT_CERTIFICATES_PATH: file('certificates.json', JSON.stringify(certificates))
  }
  const gateway = await startGateway(t, { ...required, OPS_PORT: String(port) }, { ca })
  await gateway.app.listenForOperations()
  const settings = { ...required, HTTP_PORT: String(gateway.port) }
  t.match(await health(settings), { code: 1, stderr: /certificate at this port: set OPS_PORT\n$/ })
  t.same(await health({ ...settings, OPS_PORT: String(port) }), READY)
  t.same(await health({ ...settings, OPS_PORT: String(port), OPS_HOST: '0.0.0.0' }, 'live'), LIVE)
})

t.test('a gateway without its broker is live and not ready, with the reason', async (t) => {
  const [closed] = await freePorts(1)
  const env = await start(t, { RABBITMQ_STREAM_URL: `rabbitmq-stream://guest:s3cret@127.0.0.1:${closed}` })
  t.same(await health(env, 'live'), LIVE)
  const { code, stdout, stderr } = await health(env)
  t.same([code, stdout], [1, ''])
  t.match(stderr, /^not ready: 503 .*nothing listens.*\n$/)
  t.notMatch(stderr, 's3cret')
})

t.test('nothing, a silent program, another program and a flood of bytes are not a gateway', async (t) => {
  const [closed] = await freePorts(1)
  t.match(await health({ HTTP_PORT: String(closed) }, 'live'), { code: 1, stderr: /^not live: .*ECONNREFUSED/ })
  const silent = await listen(t, createServer())
  t.match(await health(silent, 'live'), { code: 1, stderr: /does not answer: 4000 ms are over\n$/ })
  const other = createHttpServer((_, response) => { response.end('<p>200, but not a gateway') })
  t.match(await health(await listen(t, other)), { code: 1, stderr: 'not ready: 200\n' })
  const flood = createHttpServer((_, response) => {
    const send = (): void => { while (response.write('x'.repeat(65_536))); }
    response.on('drain', send)
    send()
  })
  t.match(await health(await listen(t, flood)), { code: 1, stderr: /too long to be that of the gateway/ })
})

t.test('a port that the gateway chooses by itself cannot be asked, and health says so', async (t) => {
  t.match(await health({ HTTP_PORT: '0' }), { code: 1, stderr: /free port.*OPS_PORT/ })
  t.match(await health({ OPS_PORT: '0' }), { code: 1, stderr: /free port/ })
})
