import { once } from 'node:events'
import t, { type Test } from 'tap'
import { testManagementUrl, testStreamUrl, uniqueName } from '../support/broker.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { openRaw } from '../support/raw-http.ts'
import { brokenPromises, ledgerLines, Workload } from '../support/workload/index.ts'

t.setTimeout(120_000)

const ROUNDS = 3
const env = { RABBITMQ_STREAM_URL: testStreamUrl(), RABBITMQ_MANAGEMENT_URL: testManagementUrl() }

async function start (t: Test, more: Record<string, string> = {}): Promise<GatewayProcess> {
  const gateway = await GatewayProcess.start({ env: { ...env, ...more }, forgetsRequests: true })
  t.teardown(async () => await gateway.end('SIGKILL'))
  return gateway
}

t.test('what clients of a gateway that ends under load were told is what is in the streams', async (t) => {
  let gateway = await start(t)
  const { url, port } = gateway
  const workload = await Workload.start({ target: { url }, unnamed: 4, named: 4, pauseMs: 0 })
  t.teardown(() => { workload.abandon() })
  for (let round = 0; round < ROUNDS; round++) {
    await workload.untilConfirmed(500)
    t.same(await gateway.end('SIGTERM'), { code: 0, signal: null }, `round ${round}: it ends well`)
    t.notMatch(gateway.output, /unhandled|uncaught|cut off|"level":"(?:error|fatal)"/i, 'and logs no error')
    gateway = await start(t, { HTTP_PORT: String(port) })
  }
  await workload.untilConfirmed(500)
  const report = await workload.finish()
  for (const line of ledgerLines(report)) t.comment(line)
  t.same(brokenPromises(report), [])
  t.ok(report.unnamed.confirmed > 0 && report.named.confirmed > 0)
  t.same(await gateway.end(), { code: 0, signal: null })
})

t.test('a gateway that is told to end answers the requests that it has begun', async (t) => {
  const gateway = await start(t)
  const stream = uniqueName('test')
  const other = await start(t)
  await fetch(`${gateway.url}/v1/streams/${stream}`, { method: 'PUT' })
  t.teardown(async () => { await fetch(`${other.url}/v1/streams/${stream}`, { method: 'DELETE' }) })

  const path = `/v1/streams/${stream}/messages`
  const waiting = await openRaw(t, gateway.port)
  waiting.send(`GET ${path}?wait=60 HTTP/1.1\r\nHost: x\r\n\r\n`)
  const publishing = await openRaw(t, gateway.port)
  const chunked = 'HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked'
  publishing.send(`POST ${path}/lines ${chunked}\r\n\r\n6\r\nfirst\n\r\n`)
  const idle = await openRaw(t, gateway.port)
  idle.send('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n')
  await idle.received(/"live"\}$/)
  // The first line is there, so both are under way.
  await waiting.received(/"body":"first"/)
  waiting.send(`GET ${path}?offset=next&wait=60 HTTP/1.1\r\nHost: x\r\n\r\n`)
  const metrics = async (): Promise<string> => await (await fetch(`${gateway.url}/metrics`)).text()
  while (!/^rabbitmq_stream_gateway_readers 1$/m.test(await metrics())) await new Promise(setImmediate)

  const ended = gateway.end('SIGTERM')
  t.match(await waiting.closed(), /"messages":\[\],"nextOffset":1,"endOfStream":true\}$/, 'a waiting read is answered')
  await idle.closed()
  publishing.send('7\r\nsecond\n\r\n0\r\n\r\n')
  const published = await publishing.closed()
  t.match(published, /^HTTP\/1\.1 200 OK\r\n[^]*connection: close[^]*"confirmed":2/i, 'a body under way is published')
  t.same(await ended, { code: 0, signal: null })
  t.equal(await (await fetch(`${other.url}${path}/lines`)).text(), 'first\nsecond\n')
})

t.test('a client that never ends does not keep a gateway from ending', async (t) => {
  const gateway = await start(t, { DRAIN_TIMEOUT_MS: '500' })
  const raw = await openRaw(t, gateway.port)
  raw.send('POST /v1/streams/none/messages/lines HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n')
  const closed = once(raw.socket, 'close')
  t.same(await gateway.end('SIGTERM'), { code: 0, signal: null })
  t.match(gateway.output, 'still in flight after DRAIN_TIMEOUT_MS')
  await closed
})
