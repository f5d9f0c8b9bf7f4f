import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { testManagementUrl, testStreamUrl, uniqueName } from '../support/broker.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { until } from '../support/until.ts'
import { brokenPromises, ledgerLines, Workload } from '../support/workload/index.ts'

t.setTimeout(120_000)

const env = { RABBITMQ_STREAM_URL: testStreamUrl(), RABBITMQ_MANAGEMENT_URL: testManagementUrl() }

async function start (t: Test, more: Record<string, string> = {}): Promise<GatewayProcess> {
  const gateway = await GatewayProcess.start({ env: { ...env, ...more }, forgetsRequests: true })
  t.teardown(async () => await gateway.end('SIGKILL'))
  return gateway
}

async function endsWell (t: Test, gateway: GatewayProcess): Promise<void> {
  t.ok(gateway.isRunning)
  t.notMatch(gateway.output, /unhandled|uncaught|"level":"fatal"/i)
  t.same(await gateway.end(), { code: 0, signal: null })
}

t.test('a gateway that is frozen, for a second or for longer than its heartbeats, breaks no promise', async (t) => {
  const gateway = await start(t, { RABBITMQ_HEARTBEAT_SECONDS: '1' })
  const workload = await Workload.start({ target: gateway })
  t.teardown(() => { workload.abandon() })
  for (const stillMs of [1000, 6000]) {
    await workload.untilConfirmed(300)
    gateway.child.kill('SIGSTOP')
    await delay(stillMs)
    gateway.child.kill('SIGCONT')
    await workload.untilConfirmed(300)
    t.equal((await fetch(`${gateway.url}/health/ready`)).status, 200, `ready after ${stillMs} ms`)
  }
  const report = await workload.finish()
  for (const line of ledgerLines(report)) t.comment(line)
  t.same(brokenPromises(report), [])
  await endsWell(t, gateway)
})

t.test('a gateway without a free file descriptor serves no new client until there is one again', async (t) => {
  const quicklyIdle = { RABBITMQ_CONNECTION_IDLE_MS: '500', PUBLISHER_IDLE_MS: '500', READER_IDLE_MS: '500' }
  const gateway = await start(t, quicklyIdle)
  // Only once it runs: loading its own files takes more descriptors.
  execFileSync('prlimit', ['--pid', String(gateway.pid), '--nofile=64:64'])
  const stream = uniqueName('test')
  await fetch(`${gateway.url}/v1/streams/${stream}`, { method: 'PUT' })
  t.teardown(async () => { await fetch(`${gateway.url}/v1/streams/${stream}`, { method: 'DELETE' }).catch(() => {}) })
  // With no connection to the broker left, the next request needs a descriptor.
  await until('the connections to the broker are closed', async () => {
    const metrics = await (await fetch(`${gateway.url}/metrics`)).text()
    return /^rabbitmq_stream_gateway_connections 0$/m.test(metrics)
  })

  const crowd: Socket[] = []
  t.teardown(() => { for (const socket of crowd) socket.destroy() })
  const client = connect(gateway.port, '127.0.0.1')
  t.teardown(() => client.destroy())
  await once(client, 'connect')
  let text = ''
  client.on('data', (chunk: Buffer) => { text += chunk.toString() })
  const ask = async (): Promise<string> => {
    text = ''
    client.write(`GET /v1/streams/${stream}/messages?limit=1 HTTP/1.1\r\nHost: x\r\n\r\n`)
    return await until('an answer', () => /\}\s*$/.test(text) && text)
  }
  for (let n = 0; n < 100; n++) crowd.push(connect(gateway.port, '127.0.0.1').on('error', () => {}))
  await until('there is no descriptor left', () => gateway.openFiles >= 64)
  t.match(await ask(), /^HTTP\/1\.1 503 [^]*"code":"broker_unavailable"/, 'the broker cannot be reached')
  t.match(gateway.output, /EMFILE.*"could not connect to the broker"/, 'and the log says why')
  t.ok(gateway.isRunning)

  for (const socket of crowd) socket.destroy()
  await until('the broker is reached again', async () => (await ask()).startsWith('HTTP/1.1 200'))
  const newClient = await fetch(`${gateway.url}/v1/streams/${stream}/messages/lines`, { method: 'POST', body: 'x' })
  t.equal(newClient.status, 200, 'and new clients are served')
  await endsWell(t, gateway)
})
