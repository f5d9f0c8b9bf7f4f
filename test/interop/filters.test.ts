import { once } from 'node:events'
import * as jsClient from 'rabbitmq-stream-js-client'
import rhea from 'rhea'
import t from 'tap'
import { testAmqpUrl } from '../support/broker.ts'
import { followFiltered, publishAll } from '../support/filter-requests.ts'
import { startGateway } from '../support/gateway.ts'
import { testAddresses } from '../support/streams.ts'
import { until } from '../support/until.ts'

const gateway = await startGateway(t)

async function connectClient (): Promise<jsClient.Client> {
  const { host, port } = testAddresses()
  const login = { username: 'guest', password: 'guest', vhost: '/', heartbeat: 0 }
  return await jsClient.connect({ hostname: host, port, ...login })
}

t.test('what the JavaScript client publishes with a filter value is found', async (t) => {
  const stream = await gateway.newStream(t)
  const client = await connectClient()
  t.teardown(async () => { await client.close() })
  const publisher = await client.declarePublisher({ stream }, ({ applicationProperties }) => {
    return String(applicationProperties?.region)
  })
  for (const region of ['emea', 'apac', 'emea']) {
    await publisher.send(Buffer.from(region), { applicationProperties: { region } })
    await publisher.flush()
    await until('it is stored', async () => (await followFiltered(gateway, stream, '')).bodies.at(-1) === region)
  }
  t.same((await followFiltered(gateway, stream, 'filterValue=apac')).bodies, ['apac'])
  t.same((await followFiltered(gateway, stream, 'filterValue=emea')).bodies, ['emea', 'emea'])
  const both = 'filterValue=emea&match.applicationProperties.region=emea'
  t.same((await followFiltered(gateway, stream, both)).bodies, ['emea', 'emea'])
  t.same((await followFiltered(gateway, stream, 'filterValue=absent')).bodies, [])
})

t.test('a consumer of the JavaScript client with a filter gets what the gateway publishes', async (t) => {
  const stream = await gateway.newStream(t)
  for (const value of ['a', 'b', 'a', undefined]) {
    await publishAll(gateway, stream, [{ body: value ?? 'none', bodyEncoding: 'text', filterValue: value }])
  }
  const client = await connectClient()
  t.teardown(async () => { await client.close() })
  const received: string[] = []
  const filter = { values: ['b'], matchUnfiltered: true, postFilterFunc: () => true }
  await client.declareConsumer({ stream, offset: jsClient.Offset.first(), filter }, ({ content }) => {
    received.push(content.toString())
  })
  await until('both have come', () => received.length >= 2)
  t.same(received, ['b', 'none'])
})

t.test('a message by AMQP 1.0 with the annotation is found by its value', async (t) => {
  const stream = await gateway.newStream(t)
  const { hostname, port, username, password } = new URL(testAmqpUrl())
  const connection = rhea.create_container().connect({ host: hostname, port: Number(port), username, password })
  t.teardown(() => { connection.close() })
  const sender = connection.open_sender(`/queues/${encodeURIComponent(stream)}`)
  await once(sender, 'sendable')
  for (const value of ['a', 'b', 'a']) {
    const body: unknown = rhea.message.data_section(Buffer.from(value))
    sender.send({ message_annotations: { 'x-stream-filter-value': value }, body })
    await once(sender, 'accepted')
  }
  await until('all are stored', async () => (await followFiltered(gateway, stream, '')).bodies.length === 3)
  t.same((await followFiltered(gateway, stream, 'filterValue=b')).bodies, ['b'])
  t.same((await followFiltered(gateway, stream, 'filterValue=a')).bodies, ['a', 'a'])
})
