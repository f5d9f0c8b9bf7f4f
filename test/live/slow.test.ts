import t, { type Test } from 'tap'
import { testManagementUrl, testStreamUrl, uniqueName } from '../support/broker.ts'
import { exactly } from '../support/exactly.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { startGateway, type Gateway } from '../support/gateway.ts'
import { LiveClient } from '../support/live-client.ts'
import { FaultProxy } from '../support/proxy.ts'
import { until } from '../support/until.ts'

const MIB = 1024 * 1024
const LINE = `${'x'.repeat(1000)}\n`
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

/** Publishes thousands of lines of 1,000 bytes. */
async function publish ({ url }: { readonly url: string }, stream: string, thousands: number): Promise<void> {
  for (let times = 0; times < thousands; times++) {
    const body = LINE.repeat(1000)
    const { status } = await fetch(`${url}/v1/streams/${stream}/messages/lines`, { method: 'POST', body })
    if (status !== 200) throw new Error(`publishing answered ${status}`)
  }
}

async function connectionsOf ({ url }: { readonly url: string }): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(/live_connections\{format="sse"\} (\d+)/.exec(text)?.[1])
}

/** One that reads nothing while all this is published, and then reads on. */
async function fallBehind (t: Test, gateway: Gateway, stream: string): Promise<LiveClient> {
  const client = await LiveClient.open(t, `${gateway.url}/v1/streams/${stream}/messages`)
  await client.until('the opening', ({ events }) => events.length > 0)
  client.response.pause()
  await publish(gateway, stream, 12)
  client.response.resume()
  return client
}

t.test('a client that is behind gets `bye slow` when all readers are in use, and misses nothing', async (t) => {
  const gateway = await startGateway(t, { MAX_READERS: '1', READER_WINDOW_BYTES: '65536' })
  const stream = await gateway.newStream(t)
  const fast = await LiveClient.open(t, `${gateway.url}/v1/streams/${stream}/messages`)
  const slow = await fallBehind(t, gateway, stream)
  await slow.until('the end', ({ isClosed }) => isClosed)
  const had = slow.offsets
  t.ok(had.length < 12_000)
  t.same(had, upTo(had.length))
  t.same(slow.named('bye'), [{ reason: 'slow', nextOffset: had.length }])
  t.equal(slow.lastId, String(had.length))
  t.ok(slow.isWhole)
  t.ok((slow.retries.at(-1) ?? 0) >= 500)
  t.match((await gateway.get('/metrics')).text, /live_byes_total\{reason="slow"\} 1/)

  await fast.until('everything', ({ messages }) => messages.length === 12_000)
  t.same(fast.offsets, upTo(12_000))
  const headers = { 'last-event-id': slow.lastId ?? '' }
  const refused = await gateway.get(`/v1/streams/${stream}/messages`, { accept: 'text/event-stream', ...headers })
  t.match(refused, { status: 503, json: { code: 'overloaded', retryable: true } })
  fast.close()
  const again = await until('a reader is free', async () => {
    const client = await LiveClient.open(t, `${gateway.url}/v1/streams/${stream}/messages`, headers)
    return client.response.statusCode === 200 && client
  })
  await again.until('the rest', ({ messages }) => messages.length + had.length === 12_000)
  t.same(again.offsets, upTo(12_000).slice(had.length))
})

t.test('a client that stands still leaves its reader to others, and misses nothing', async (t) => {
  const gateway = await startGateway(t, { MAX_READERS: '1', READER_WINDOW_BYTES: '65536' })
  const stream = await gateway.newStream(t)
  const client = await LiveClient.open(t, `${gateway.url}/v1/streams/${stream}/messages`)
  await client.until('the opening', ({ events }) => events.length > 0)
  client.response.pause()
  await publish(gateway, stream, 40) // more than the operating system keeps for it
  const read = await until('the only reader is free', async () => {
    const answer = await gateway.get(`/v1/streams/${stream}/messages?offset=0&limit=1`)
    return answer.status === 200 && answer
  })
  t.match(read.json, { nextOffset: 1 })
  client.response.resume()
  await client.until('everything', ({ messages }) => messages.length === 40_000)
  t.same(client.offsets, upTo(40_000))
})

t.test('half-open clients take bounded memory, are cut off, and their places are given back', async (t) => {
  const gateway = await GatewayProcess.start({
    env: {
      AUTH: 'none',
      RABBITMQ_STREAM_URL: testStreamUrl(),
      RABBITMQ_MANAGEMENT_URL: testManagementUrl(),
      LIVE_SEND_TIMEOUT_MS: '2000',
      LIVE_MAX_CONNECTIONS: '9',
      READ_BUDGET_BYTES: String(16 * MIB),
      READER_WINDOW_BYTES: String(MIB)
    }
  })
  t.teardown(async () => { await gateway.end('SIGKILL') })
  const proxy = await FaultProxy.listen({ host: '127.0.0.1', port: gateway.port })
  t.teardown(async () => { await proxy.close() })
  const stream = uniqueName('live')
  await fetch(`${gateway.url}/v1/streams/${stream}`, { method: 'PUT' })
  const path = `/v1/streams/${stream}/messages`
  const healthy = await LiveClient.open(t, gateway.url + path)
  const proxied = `http://127.0.0.1:${proxy.port}${path}`
  const behind = await Promise.all(upTo(8).map(async () => await LiveClient.open(t, proxied)))
  for (const client of behind) await client.until('the opening', ({ events }) => events.length > 0)
  await publish(gateway, stream, 1)
  for (const client of behind) await client.until('what comes', ({ messages }) => messages.length === 1000)
  const before = gateway.residentBytes
  t.equal((await fetch(gateway.url + path, { headers: { accept: 'text/event-stream' } })).status, 503)

  // From now on the proxy passes nothing on, and acknowledges until its buffers are full. They may hold 30 MB each.
  proxy.pause()
  let count = 1000
  await until('their places are given back', async () => {
    if (count < 80_000) {
      await publish(gateway, stream, 2)
      count += 2000
    }
    return await connectionsOf(gateway) === 1
  })
  await until('the log says why', () => gateway.log.filter(({ reason }) => reason === 'not drained').length === 8)
  const more = gateway.peakResidentBytes - before
  t.ok(more < 150 * MIB, `it took ${Math.round(more / MIB)} MiB more`)
  await healthy.until('everything', ({ messages }) => messages.length === count)
  t.same(healthy.offsets, upTo(count))

  proxy.resume()
  const [first] = behind
  await first?.until('it notices', ({ isClosed }) => isClosed)
  t.notOk(first?.isWhole)
  const had = first?.offsets ?? []
  t.same(had, upTo(had.length))
  const again = await LiveClient.open(t, gateway.url + path, { 'last-event-id': first?.lastId ?? '' })
  await again.until('the rest', ({ messages }) => messages.length + had.length === count)
  t.same(again.offsets, upTo(count).slice(had.length))
})

t.test('a client that does not take the last words gives back its place after LIVE_SEND_TIMEOUT_MS', async (t) => {
  const gateway = await startGateway(t, { LIVE_MAX_CONNECTIONS: '1', LIVE_SEND_TIMEOUT_MS: '8000' })
  const stream = await gateway.newStream(t)
  const client = await LiveClient.open(t, `${gateway.url}/v1/streams/${stream}/messages`)
  client.response.pause()
  let count = 0
  let quietMs = performance.now()
  let written = ''
  await until('it takes nothing more', async () => {
    if (count < 60_000) await publish(gateway, stream, 1)
    count += 1000
    const { text } = await gateway.get('/metrics')
    const bytes = /live_bytes_total (\d+)/.exec(text)?.[1] ?? ''
    if (bytes !== written) quietMs = performance.now()
    written = bytes
    return performance.now() - quietMs > 500
  })
  await gateway.request('DELETE', `/v1/streams/${stream}`)
  t.equal(gateway.log.find(({ msg }) => msg === 'live answer ended')?.['reason'], 'stream_not_found')
  const other = await gateway.newStream(t)
  const headers = { accept: 'text/event-stream' }
  t.equal((await gateway.get(`/v1/streams/${other}/messages`, headers)).status, 503, 'the place is still taken')
  await until('it is given back', async () => {
    const client = await LiveClient.open(t, `${gateway.url}/v1/streams/${other}/messages`)
    return client.response.statusCode === 200
  }, 40_000)
})

t.test('a client behind a proxy that acknowledges and loses everything is ended by the rotation', async (t) => {
  const gateway = await startGateway(t, { LIVE_MAX_DURATION_MS: '2000', LIVE_SEND_TIMEOUT_MS: '1000' })
  const stream = await gateway.newStream(t)
  const proxy = await FaultProxy.listen({ host: '127.0.0.1', port: gateway.port })
  t.teardown(async () => { await proxy.close() })
  const path = `/v1/streams/${stream}/messages`
  const client = await LiveClient.open(t, `http://127.0.0.1:${proxy.port}${path}`)
  await gateway.publish(stream, 0, 1, 2)
  await client.until('what comes', ({ messages }) => messages.length === 3)
  proxy.cutAfter(0, 'silence')
  await gateway.publish(stream, 3, 4, 5)
  await until('it is ended', () => gateway.log.some(({ reason }) => reason === 'rotation'))
  t.same(client.offsets, [0, 1, 2])
  client.close()
  await until('its place is given back', async () => await connectionsOf(gateway) === 0)
  const again = await LiveClient.open(t, gateway.url + path, { 'last-event-id': client.lastId ?? '' })
  await again.until('the rest', ({ messages }) => messages.length === 3)
  t.match(again.messages, exactly({ data: { body: 3 } }, { data: { body: 4 } }, { data: { body: 5 } }))
})
