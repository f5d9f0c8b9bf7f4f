import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import * as jsClient from 'rabbitmq-stream-js-client'
import { testManagementUrl, testStreamUrl } from '../support/broker.ts'
import { exactly } from '../support/exactly.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { startGateway } from '../support/gateway.ts'
import { LiveClient } from '../support/live-client.ts'
import { testAddresses } from '../support/streams.ts'
import { newSuperStream } from '../support/super-streams.ts'
import { until } from '../support/until.ts'

t.setTimeout(120_000)

const [here, there] = [await startGateway(t), await startGateway(t)]

function pathOf (stream: string, more = ''): string {
  return `/v1/streams/${stream}/consumers/c/messages?singleActive=true${more}`
}

async function storeAt (stream: string, offset: number): Promise<void> {
  const { status } = await here.request('PUT', `/v1/streams/${stream}/consumers/c/offset`, { json: { offset } })
  if (status !== 200) throw new Error(`the store was answered with ${status}`)
}

async function storedAt (stream: string): Promise<unknown> {
  return (await here.get(`/v1/streams/${stream}/consumers/c/offset`)).json
}

/** Opens a live read and waits until it is a member. */
async function join (t: Test, url: string): Promise<LiveClient> {
  const client = await LiveClient.open(t, url)
  await client.until('it is a member', (client) => client.named('inactive').length > 0)
  return client
}

async function untilActive (client: LiveClient, times = 1): Promise<void> {
  await client.until('it is active', (client) => client.named('active').length === times)
}

async function connectNative (t: Test, stream: string): Promise<{ offsets: number[], client: jsClient.Client }> {
  const { host, port } = testAddresses()
  const login = { username: 'guest', password: 'guest', vhost: '/', heartbeat: 0 }
  const client = await jsClient.connect({ hostname: host, port, ...login })
  t.teardown(async () => { await client.close().catch(() => {}) })
  const offsets: number[] = []
  await client.declareConsumer({
    stream,
    consumerRef: 'c',
    singleActive: true,
    offset: jsClient.Offset.first(),
    async consumerUpdateListener (reference, stream) {
      return jsClient.Offset.offset(await client.queryOffset({ reference, stream }) + 1n)
    }
  }, ({ offset }) => { offsets.push(Number(offset)) })
  return { offsets, client }
}

t.test('two gateways and a native client share a group: kill -9 hands over within a second', async (t) => {
  const env = { AUTH: 'none', RABBITMQ_STREAM_URL: testStreamUrl(), RABBITMQ_MANAGEMENT_URL: testManagementUrl() }
  const killed = await GatewayProcess.start({ env })
  t.teardown(async () => { await killed.end('SIGKILL') })
  const stream = await here.newStream(t)
  await here.publish(stream, 0, 1, 2, 3, 4, 5)
  const first = await join(t, killed.url + pathOf(stream))
  await untilActive(first)
  const second = await join(t, here.url + pathOf(stream))
  const native = await connectNative(t, stream)
  await first.until('it has read', ({ offsets }) => offsets.length === 6)
  t.match(first.named('active'), exactly({ nextOffset: 0 }))
  await storeAt(stream, 3)
  t.same(second.messages, [])
  t.same(native.offsets, [])

  const killedMs = performance.now()
  killed.child.kill('SIGKILL')
  await untilActive(second)
  const tookMs = performance.now() - killedMs
  t.ok(tookMs < 1000, `it took ${tookMs} ms`)
  t.match(second.named('active'), exactly({ nextOffset: 4 }))
  await there.publish(stream, 6, 7)
  await second.until('it has read', ({ messages }) => messages.length === 4)
  t.match(second.messages.map(({ data }) => data), exactly({ body: 4 }, { body: 5 }, { body: 6 }, { body: 7 }))
  t.same(native.offsets, [])

  const last = second.offsets.at(-1) ?? 0
  await storeAt(stream, last - 1)
  second.close()
  await until('the native client goes on', () => native.offsets.length > 0)
  t.same(native.offsets, [last], 'nothing is missing and nothing that was stored comes again')

  const third = await join(t, there.url + pathOf(stream))
  await native.client.close()
  await untilActive(third)
  await third.until('it has read', ({ messages }) => messages.length === 1)
})

t.test('a passive member gets `inactive` and heartbeats, and stores nothing', async (t) => {
  const stream = await here.newStream(t)
  await here.publish(stream, 'a', 'b', 'c')
  const active = await join(t, here.url + pathOf(stream, '&autoCommit=true'))
  const passive = await join(t, there.url + pathOf(stream, '&autoCommit=true&heartbeat=5&from=next'))
  await active.until('it has read', ({ messages }) => messages.length === 3)
  t.match(active.events.map(({ name }) => name).slice(0, 3), exactly('state', 'inactive', 'active'))
  await passive.until('there are heartbeats', (client) => client.named('state').length === 3)
  t.match(passive.events.map(({ name }) => name), exactly('state', 'inactive', 'state', 'state'))
  await until('the active one has stored', async () =>
    JSON.stringify(await storedAt(stream)).includes('"storedOffset":2'))
  active.close()
  await untilActive(passive)
  t.match(passive.named('active'), exactly({ nextOffset: 3 }), 'after what is stored, whatever `from` says')
  passive.close()
})

t.test('what the client has taken is stored before the member leaves', async (t) => {
  const stream = await here.newStream(t)
  const active = await join(t, here.url + pathOf(stream, '&autoCommit=true&limit=3'))
  await untilActive(active)
  const next = await join(t, there.url + pathOf(stream))
  await here.publish(stream, 'a', 'b', 'c', 'd')
  await active.until('it has ended', ({ isClosed }) => isClosed)
  t.match(active.named('bye'), exactly({ reason: 'limit' }))
  await untilActive(next)
  await next.until('it has read', ({ messages }) => messages.length === 1)
  t.match(next.messages, exactly({ data: { body: 'd' } }))
})

t.test('a gateway that is told to end hands over', async (t) => {
  const env = { AUTH: 'none', RABBITMQ_STREAM_URL: testStreamUrl(), RABBITMQ_MANAGEMENT_URL: testManagementUrl() }
  const ended = await GatewayProcess.start({ env })
  t.teardown(async () => { await ended.end('SIGKILL') })
  const stream = await here.newStream(t)
  const first = await join(t, ended.url + pathOf(stream))
  await untilActive(first)
  const second = await join(t, here.url + pathOf(stream))
  ended.child.kill('SIGTERM')
  await first.until('it says goodbye', (client) => client.named('bye').length === 1)
  await untilActive(second)
})

t.test('a member that is asked to stop is waited for until its client has stored, ten seconds at most', async (t) => {
  const superStream = `invoices-${randomUUID()}`
  await newSuperStream(t, superStream, [`${superStream}-0`, `${superStream}-1`])
  const stream = `${superStream}-1`
  await until('the partition is there', async () => (await here.get(`/v1/streams/${stream}`)).status === 200)
  await here.publish(stream, 'a', 'b', 'c')
  const first = await join(t, here.url + pathOf(stream))
  await first.until('it has read', ({ messages }) => messages.length === 3)
  // RabbitMQ gives the second partition to the second member.
  const second = await join(t, there.url + pathOf(stream))
  await first.until('it is asked to stop', (client) => client.named('inactive').length === 2)
  t.match(first.named('inactive').at(-1), { nextOffset: 3 })
  await new Promise((resolve) => setTimeout(resolve, 1000))
  t.same(second.named('active'), [], 'the client may be about to store')
  await storeAt(stream, 2)
  const storedMs = performance.now()
  await untilActive(second)
  t.ok(performance.now() - storedMs < 1000)
  t.match(second.named('active'), exactly({ nextOffset: 3 }))

  await here.publish(stream, 'd')
  await second.until('it has read', ({ messages }) => messages.length === 1)
  const askedMs = performance.now()
  first.close() // the second one is alone, and stays active
  const third = await join(t, here.url + pathOf(stream))
  await second.until('it is asked to stop', (client) => client.named('inactive').length === 2)
  await untilActive(third)
  const tookMs = performance.now() - askedMs
  t.ok(tookMs > 9000 && tookMs < 12_000, `it took ${tookMs} ms`)
  t.match(third.named('active'), exactly({ nextOffset: 3 }), 'what was not stored comes again')
})

t.test('a member that cannot be one is told so by the status', async (t) => {
  const stream = await here.newStream(t)
  const accept = { accept: 'text/event-stream' }
  t.match(await here.get(pathOf(`${stream}-x`), accept), { status: 404, json: { code: 'stream_not_found' } })
  for (const more of ['&offset=1', '&timestamp=2020-01-01T00:00:00Z', '&commit=1']) {
    t.match(await here.get(pathOf(stream, more), accept), { status: 400, json: { code: 'validation_failed' } })
  }
  const notLive = { status: 400, json: { code: 'validation_failed', errors: [{ pointer: '/query/singleActive' }] } }
  t.match(await here.get(pathOf(stream)), notLive)
})

t.test('an id of the last connection does not matter: others may have gone on meanwhile', async (t) => {
  const stream = await here.newStream(t)
  await here.publish(stream, 'a', 'b', 'c')
  await storeAt(stream, 1)
  const client = await LiveClient.open(t, here.url + pathOf(stream), { 'last-event-id': '0' })
  await client.until('it has read', ({ messages }) => messages.length === 1)
  t.match(client.messages, exactly({ data: { body: 'c' } }))
})

t.test('a member that is reset goes on there', async (t) => {
  const stream = await here.newStream(t)
  await here.publish(stream, 'a', 'b')
  const client = await join(t, here.url + pathOf(stream))
  await client.until('it has read', ({ messages }) => messages.length === 2)
  await storeAt(stream, 1)
  await here.request('POST', `/v1/streams/${stream}/consumers/c/offset/reset`, { json: { to: 'first' } })
  await client.until('it has read again', ({ messages }) => messages.length === 4)
  t.match(client.named('reset'), exactly({ nextOffset: 0 }))
})
