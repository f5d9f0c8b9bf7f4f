import t, { type Test } from 'tap'
import { testStreamUrl } from '../support/broker.ts'
import { GatewayProcess } from '../support/gateway-process.ts'

function run (t: Test, env: Record<string, string>): GatewayProcess {
  const gateway = new GatewayProcess({ env })
  t.teardown(async () => await gateway.end('SIGKILL'))
  return gateway
}

t.test('a process serves until it is told to end, and then exits with 0', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const gateway = run(t, { RABBITMQ_STREAM_URL: testStreamUrl(), HTTP_PROT: '1' })
    await gateway.untilListening()
    t.equal((await fetch(`${gateway.url}/health/ready`)).status, 200)
    t.match(gateway.output, /HTTP_PROT is not a setting/)
    t.same(await gateway.end(signal), { code: 0, signal: null }, signal)
    t.notMatch(gateway.output, /WITHOUT AUTHENTICATION/)
  }
})

t.test('a process that listens beyond its machine warns that it has no authentication', async (t) => {
  const gateway = run(t, { RABBITMQ_STREAM_URL: testStreamUrl(), HTTP_HOST: '0.0.0.0', AUTH: 'none' })
  t.ok(await gateway.said(/"level":"warn"[^\n]*WITHOUT AUTHENTICATION/))
  t.match(await gateway.end(), { code: 0 })
})

t.test('credentials without TLS beyond this machine are a warning, unless a proxy ends TLS', async (t) => {
  const env = { RABBITMQ_STREAM_URL: testStreamUrl(), HTTP_HOST: '0.0.0.0', AUTH: 'rabbitmq' }
  const gateway = run(t, env)
  t.ok(await gateway.said(/"level":"warn"[^\n]*credentials come without TLS/))
  const proxied = run(t, { ...env, TRUST_PROXY: '192.0.2.1' })
  await proxied.said(/connected to RabbitMQ/)
  t.notMatch(proxied.output, 'credentials come without TLS')
  await Promise.all([gateway.end(), proxied.end()])
})

t.test('a process does not start beyond its machine without a word on access', async (t) => {
  for (const host of ['0.0.0.0', '::', '192.0.2.1', 'gateway.example']) {
    const gateway = run(t, { RABBITMQ_STREAM_URL: testStreamUrl(), HTTP_HOST: host })
    t.same(await gateway.ended, { code: 1, signal: null }, host)
    t.match(gateway.output, /^Bad configuration: AUTH is needed[^\n]*AUTH=api-keys[^\n]*AUTH=none[^\n]*\n$/, host)
  }
})

t.test('a bad configuration ends the process with one line that names the variables', async (t) => {
  const gateway = run(t, { RABBITMQ_STREAM_URL: 'rabbitmq-stream://u:s3cret@', HTTP_PORT: 's3cret' })
  t.same(await gateway.ended, { code: 1, signal: null })
  t.match(gateway.output, /^Bad configuration: [^\n]*RABBITMQ_STREAM_URL[^\n]*HTTP_PORT[^\n]*\n$/)
  t.notMatch(gateway.output, 's3cret')
})

t.test('an address that cannot be listened on ends the process with one line that names the setting', async (t) => {
  const first = run(t, { RABBITMQ_STREAM_URL: testStreamUrl() })
  await first.untilListening()
  const wrong: Array<[env: Record<string, string>, line: RegExp]> = [
    [{ HTTP_PORT: String(first.port) }, /^Cannot listen [^\n]*\(EADDRINUSE\)[^\n]*HTTP_PORT[^\n]*\n$/],
    [{ HTTP_HOST: '192.0.2.1' }, /^Cannot listen [^\n]*\(EADDRNOTAVAIL\)[^\n]*HTTP_HOST[^\n]*\n$/],
    [{ HTTP_HOST: 'host.invalid' }, /^Cannot listen [^\n]*(ENOTFOUND|EAI_AGAIN)[^\n]*HTTP_HOST[^\n]*\n$/]
  ]
  for (const [env, line] of wrong) {
    const gateway = run(t, { RABBITMQ_STREAM_URL: testStreamUrl(), AUTH: 'none', ...env })
    t.same(await gateway.ended, { code: 1, signal: null })
    t.match(gateway.output, line)
  }
  t.match(await first.end(), { code: 0 })
})

t.test('a Node.js that is too old is told in one line', async (t) => {
  const old = "data:text/javascript,Object.defineProperty(process.versions,'node',{value:'18.20.8'})"
  const gateway = new GatewayProcess({ env: {}, nodeOptions: ['--import', old] })
  t.same(await gateway.ended, { code: 1, signal: null })
  t.equal(gateway.output, 'Node.js 20.19 or newer is needed; this is 18.20.8.\n')
})
