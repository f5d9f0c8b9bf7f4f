import { connect } from 'node:net'
import t from 'tap'
import { freePorts } from '../../scripts/setup/ports.mjs'
import { testStreamUrl } from '../support/broker.ts'
import { makeCheckout, NpmProcess } from '../support/checkout.ts'
import { commandsOf, hasEnded } from '../support/process-tree.ts'
import { tlsFiles } from '../support/tls-gateway.ts'
import { until } from '../support/until.ts'

const [port = 0] = await freePorts(1)

function accepts (): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const answer = (is: boolean) => () => {
      socket.destroy()
      resolve(is)
    }
    socket.once('connect', answer(true)).once('error', answer(false))
  })
}

const directory = makeCheckout(t)

t.test('npm start ends its gateway and its broker when npm is told to end or killed', async (t) => {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const npm = new NpmProcess(t, directory, ['start'], { HTTP_PORT: String(port) })
    await until(`it is ready: ${npm.output}`, () => npm.output.includes('Ctrl-C stops everything'), 120_000)
    const pids = npm.tree()
    t.ok(commandsOf(pids).some((name) => name.includes('dist/server.js')), 'the gateway runs')
    t.ok(commandsOf(pids).some((name) => name.includes('beam')), 'the broker runs')
    npm.child.kill(signal)
    await until('everything has ended', () => pids.every(hasEnded), 45_000)
    t.notOk(await accepts(), `the port is free after ${signal}`)
  }
})

t.test('npm start ends its gateway by whatever signal npm ends', async (t) => {
  const env = { HTTP_PORT: String(port), RABBITMQ_STREAM_URL: testStreamUrl() }
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGKILL'] as const) {
    const npm = new NpmProcess(t, directory, ['start'], env)
    await until('it is ready', () => npm.output.includes('Ctrl-C stops everything'), 60_000)
    const pids = npm.tree()
    npm.child.kill(signal)
    await until('everything has ended', () => pids.every(hasEnded), 20_000)
    t.notOk(await accepts(), `the port is free after ${signal}`)
  }
})

t.test('npm start starts where clients need a certificate, and npm run rabbitmqctl reaches its broker', async (t) => {
  const files = tlsFiles(t)
  const entry = { id: 'billing1', name: 'billing', subject: 'billing', scopes: ['read:*/*'] }
  const rabbitmqctl = (...args: readonly string[]): NpmProcess =>
    new NpmProcess(t, directory, ['run', '--silent', 'rabbitmqctl', '--', ...args])
  const early = rabbitmqctl('list_users')
  t.same(await early.ended, [1, null])
  t.match(early.output, 'does not run: `npm start` starts it')

  const npm = new NpmProcess(t, directory, ['start'], {
    ...files.env,
    HTTP_PORT: String(port),
    AUTH: 'mtls,rabbitmq',
    HTTP_TLS_CLIENT_AUTH: 'required',
    HTTP_TLS_CLIENT_CA_PATH: files.file('client-ca.pem', files.ca),
    CLIENT_CERTIFICATES_PATH: files.file('certificates.json', JSON.stringify({ certificates: [entry] }))
  })
  await until('it is ready', () => npm.output.includes('Ctrl-C stops everything'), 120_000)
  t.match(npm.output, /curl .*--cert .*\n.*curl -u guest:guest/)
  const added = rabbitmqctl('add_user', 'billing', 'a-long-password')
  t.same(await added.ended, [0, null])
  const again = rabbitmqctl('add_user', 'billing', 'a-long-password')
  t.same(await again.ended, [1, null])
  t.match(again.output, 'already exists')
  t.notMatch(again.output, 'a-long-password')
  npm.child.kill('SIGTERM')
  await npm.ended
})

t.test('npm test leaves no broker behind when npm is killed', async (t) => {
  const npm = new NpmProcess(t, directory, ['test', '--', 'test/unit/config.test.ts'])
  await until('the broker runs', () => commandsOf(npm.tree()).some((name) => name.includes('beam')), 60_000)
  const pids = npm.tree()
  npm.child.kill('SIGKILL')
  await until('everything has ended', () => pids.every(hasEnded), 45_000)
  t.pass('everything has ended')
})

t.test('npm start without packages and without a registry ends soon, with one line that says why', async (t) => {
  const env = {
    HTTP_PORT: String(port),
    RABBITMQ_STREAM_URL: testStreamUrl(),
    npm_config_registry: 'http://127.0.0.1:1/',
    npm_config_cache: makeCheckout(t, { hasDependencies: false })
  }
  const npm = new NpmProcess(t, makeCheckout(t, { hasDependencies: false }), ['start'], env)
  const startedMs = performance.now()
  t.same(await npm.ended, [1, null])
  t.ok(performance.now() - startedMs < 30_000, 'soon')
  t.match(npm.output, /^The dependencies cannot be installed: [^\n]*ECONNREFUSED[^\n]*$/m)
  t.notMatch(npm.output, /^ +at /m)
})
