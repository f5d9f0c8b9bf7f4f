import { connect } from 'node:net'
import t from 'tap'
import { freePorts } from '../../scripts/setup/ports.mjs'
import { testStreamUrl } from '../support/broker.ts'
import { makeCheckout, NpmProcess } from '../support/checkout.ts'
import { commandsOf, hasEnded } from '../support/process-tree.ts'
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
