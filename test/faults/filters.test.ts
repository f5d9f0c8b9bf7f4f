import t from 'tap'
import { clusterUrl, startPrivateBroker } from '../support/broker.ts'
import { followFiltered, followWhilePublishing, publishAll, readBatch } from '../support/filter-requests.ts'
import { startGateway } from '../support/gateway.ts'
import { until } from '../support/until.ts'

t.setTimeout(300_000)

const { nodes } = await startPrivateBroker(t, { nodes: 3 })
const gateway = await startGateway(t, {
  RABBITMQ_STREAM_URL: clusterUrl(nodes),
  RABBITMQ_MAX_RECONNECT_DELAY_MS: '500'
})

t.test('readers on replicas that follow a filter while the stream is written miss nothing', async (t) => {
  const stream = await gateway.newStream(t)
  const queries = ['filterValue=a', 'filterValue=a&wait=1', 'filterValue=a&limit=1']
  const { wanted, seen } = await followWhilePublishing(gateway, stream, 300, queries)
  for (const [index, bodies] of seen.entries()) t.same(bodies, wanted, `${queries[index]}`)
})

t.test('a filtered read that waits outlives the end of a node', async (t) => {
  const stream = await gateway.newStream(t)
  for (let n = 0; n < 20; n++) await publishAll(gateway, stream, [{ body: n, filterValue: 'b' }])
  const { nextOffset } = await followFiltered(gateway, stream, 'filterValue=a')
  t.equal(nextOffset, 20)
  const held = readBatch(gateway, `/v1/streams/${stream}/messages?offset=${nextOffset}&wait=60&filterValue=a`)
  const [first] = nodes
  await first?.kill('SIGKILL')
  const message = { json: { messages: [{ body: 'found', filterValue: 'a' }] } }
  await until('a publish is confirmed', async () => {
    return (await gateway.request('POST', `/v1/streams/${stream}/messages`, message)).status === 200
  }, 60_000)
  const { messages } = await held
  t.equal(messages[0]?.body, 'found')
})
