import t from 'tap'
import { testManagementUrl, testStreamUrl } from '../support/broker.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { startGateway, type Gateway } from '../support/gateway.ts'
import { until } from '../support/until.ts'

const [here, there] = [await startGateway(t), await startGateway(t)]

const readPath = (stream: string, query: string): string => `/v1/streams/${stream}/consumers/c/messages?${query}`
const offsetPath = (stream: string): string => `/v1/streams/${stream}/consumers/c/offset`

function bodiesOf (json: unknown): unknown[] {
  if (typeof json !== 'object' || json === null || !('messages' in json) || !Array.isArray(json.messages)) return []
  return json.messages.map(({ body }: { body: unknown }) => body)
}

t.test('first polls at two gateways at once agree on a place, and nothing after them is missed', async (t) => {
  for (let round = 0; round < 20; round++) {
    const stream = await here.newStream(t)
    await here.publish(stream, 'old', 'old')
    await Promise.all([here, there, here, there].map(async (gateway) => {
      t.equal((await gateway.get(readPath(stream, 'from=next'))).status, 200)
    }))
    await there.publish(stream, 'new')
    for (const gateway of [here, there]) {
      const bodies = bodiesOf((await gateway.get(readPath(stream, 'from=next'))).json)
      t.same(bodies, ['new'], `round ${round}`)
    }
  }
})

t.test('a place is fixed although its gateway is killed; what was not committed comes again', async (t) => {
  const env = { RABBITMQ_STREAM_URL: testStreamUrl(), RABBITMQ_MANAGEMENT_URL: testManagementUrl() }
  const killed = await GatewayProcess.start({ env, forgetsRequests: true })
  t.teardown(async () => await killed.end('SIGKILL'))
  const stream = await here.newStream(t)
  await here.publish(stream, 'old', 'old')
  const waiting = fetch(`${killed.url}${readPath(stream, 'from=next&wait=60')}`).then(() => {}, () => {})
  await until('the place is fixed', async () => (await there.get(offsetPath(stream))).status === 200)
  await killed.end('SIGKILL')
  await waiting
  await here.publish(stream, 'm1', 'm2')
  t.same(bodiesOf((await here.get(readPath(stream, 'from=next'))).json), ['m1', 'm2'])

  const second = await GatewayProcess.start({ env, forgetsRequests: true })
  t.teardown(async () => await second.end('SIGKILL'))
  const answer: unknown = await (await fetch(`${second.url}${readPath(stream, 'from=next&limit=1')}`)).json()
  t.same(bodiesOf(answer), ['m1'])
  await second.end('SIGKILL') // between the poll and its commit
  t.same(bodiesOf((await there.get(readPath(stream, 'from=next'))).json), ['m1', 'm2'])
})

t.test('a poll that leaves while it waits has fixed its place', async (t) => {
  const stream = await here.newStream(t)
  await here.publish(stream, 'old', 'old')
  const leaving = new AbortController()
  const url = `http://127.0.0.1:${here.port}${readPath(stream, 'from=next&wait=60')}`
  const left = fetch(url, { signal: leaving.signal }).then(() => {}, () => {})
  await until('the place is fixed', async () => (await there.get(offsetPath(stream))).status === 200)
  leaving.abort()
  await left
  await here.publish(stream, 'new')
  t.same(bodiesOf((await there.get(readPath(stream, 'from=next'))).json), ['new'])
})

t.test('autoCommit polls at two gateways in turns get each message once', async (t) => {
  const stream = await here.newStream(t)
  const bodies = Array.from({ length: 40 }, (_, n) => n)
  await here.publish(stream, ...bodies)
  const seen: unknown[] = []
  const gateways: Gateway[] = [here, there]
  for (let turn = 0; turn < 20; turn++) {
    const gateway = gateways[turn % 2] ?? here
    seen.push(...bodiesOf((await gateway.get(readPath(stream, 'autoCommit=true&limit=2'))).json))
  }
  t.same(seen, bodies)
})
