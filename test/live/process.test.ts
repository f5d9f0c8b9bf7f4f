import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { startPrivateBroker, testStreamUrl, uniqueName } from '../support/broker.ts'
import { exactly } from '../support/exactly.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { startGateway } from '../support/gateway.ts'
import { adminKey, keyFile, newKey, startKeyedGateway } from '../support/keyed-gateway.ts'
import { fieldOf, LiveClient } from '../support/live-client.ts'
import { until } from '../support/until.ts'

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

t.test('a gateway that is told to end says bye to a hundred live answers, spread over the drain delay', async (t) => {
  const gateway = await GatewayProcess.start({
    env: { RABBITMQ_STREAM_URL: testStreamUrl(), AUTH: 'none', DRAIN_DELAY_MS: '1500' }
  })
  t.teardown(async () => { await gateway.end('SIGKILL') })
  const url = `${gateway.url}/v1/streams/${uniqueName('live')}`
  await fetch(url, { method: 'PUT' })
  const clients = await Promise.all(upTo(100).map(async () => await LiveClient.open(t, `${url}/messages`)))
  for (const client of clients) await client.until('the opening', ({ events }) => events.length > 0)
  const ended = gateway.end()
  const timesMs = await Promise.all(clients.map(async (client) => {
    await client.until('the end', ({ isClosed }) => isClosed)
    return performance.now()
  }))
  t.same(await ended, { code: 0, signal: null })
  for (const client of clients) {
    if (client.named('bye').length === 1 && client.isWhole) continue
    t.fail(`a client got ${client.text}`)
  }
  t.match(clients[0]?.named('bye'), exactly({ reason: 'draining', nextOffset: 0 }))
  t.ok(Math.max(...timesMs) - Math.min(...timesMs) > 500, 'not all at once')
  t.ok(new Set(clients.map(({ retries }) => retries.at(-1))).size > 10, 'they come back at different times')
})

t.test('a live answer outlives a broker that is killed and comes back, and misses nothing', async (t) => {
  const { node } = await startPrivateBroker(t)
  const { streamUrl, managementUrl } = node
  const gateway = await startGateway(t, { RABBITMQ_STREAM_URL: streamUrl, RABBITMQ_MANAGEMENT_URL: managementUrl })
  const stream = uniqueName('live')
  await gateway.request('PUT', `/v1/streams/${stream}`)
  await delay(1500)
  await gateway.publish(stream, 0, 1)
  const client = await LiveClient.open(t, `${gateway.url}/v1/streams/${stream}/messages?heartbeat=5`)
  await client.until('what is there', ({ messages }) => messages.length === 2)
  await node.kill('SIGKILL')
  await client.until('a heartbeat that claims nothing', ({ events }) =>
    events.some(({ name, data }) => name === 'state' && fieldOf(data, 'lag') === null), 20_000)
  await node.start()
  await until('it is published', async () => (await gateway.publish(stream, 2)).status === 200, 60_000)
  await client.until('the next one', ({ messages }) => messages.length >= 3, 30_000)
  t.same(client.offsets, [0, 1, 2])
  t.same(client.named('problem'), [])
})

t.test('a live answer ends with the credential of its caller', async (t) => {
  const admin = adminKey()
  const key = newKey()
  const { gateway, replaceFile } = await startKeyedGateway(t, admin, key)
  const path = `/v1/streams/${uniqueName('live')}`
  await gateway.request('PUT', path, { headers: admin.headers })
  t.teardown(async () => { await gateway.request('DELETE', path, { headers: admin.headers }) })
  const client = await LiveClient.open(t, `${gateway.url}${path}/messages`, key.headers)
  const other = await LiveClient.open(t, `${gateway.url}${path}/messages`, admin.headers)
  await client.until('the opening', ({ events }) => events.length === 1)
  await replaceFile(keyFile(admin))
  await client.until('the end', ({ isClosed }) => isClosed)
  t.match(client.named('problem'), exactly({ code: 'unauthorized', status: 401 }))
  t.ok(client.isWhole)
  t.notOk(other.isClosed)
})
