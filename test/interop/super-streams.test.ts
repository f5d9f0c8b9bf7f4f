import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import * as jsClient from 'rabbitmq-stream-js-client'
import { startGateway } from '../support/gateway.ts'
import { list, record } from '../support/schema-values.ts'
import { testAddresses } from '../support/streams.ts'
import { until } from '../support/until.ts'

const gateway = await startGateway(t)
const keys = Array.from({ length: 40 }, (_, index) => `Kunde-${index}-ü`)

async function connectClient (t: Test): Promise<jsClient.Client> {
  const { host, port } = testAddresses()
  const login = { username: 'guest', password: 'guest', vhost: '/', heartbeat: 0 }
  const client = await jsClient.connect({ hostname: host, port, ...login })
  t.teardown(async () => { await client.close() })
  return client
}

async function newSuper (t: Test, json: object): Promise<string> {
  const name = `shared-${randomUUID()}`
  t.equal((await gateway.request('PUT', `/v1/super-streams/${name}`, { json })).status, 201)
  t.teardown(async () => { await gateway.request('DELETE', `/v1/super-streams/${name}`) })
  return name
}

/** By partition, the bodies of its messages in their order. */
async function bodiesIn (name: string): Promise<Record<string, string[]>> {
  const { partitions } = record((await gateway.get(`/v1/super-streams/${name}`)).json)
  const found = list(partitions).map(async (entry) => {
    const partition = String(record(entry)['partition'])
    const { text } = await gateway.get(`/v1/streams/${partition}/messages/lines?limit=1000`)
    return [partition, text.split('\n').filter((line) => line !== '')] as const
  })
  return Object.fromEntries(await Promise.all(found))
}

t.test('the gateway and the JavaScript client send the same key to the same partition', async (t) => {
  const name = await newSuper(t, { partitions: 5 })
  for (const key of keys) {
    const path = `/v1/super-streams/${name}/messages/lines?routingKey=${encodeURIComponent(key)}`
    t.match((await gateway.request('POST', path, { body: key })).json, { confirmed: 1 })
  }
  const before = await bodiesIn(name)
  const client = await connectClient(t)
  const publisher = await client.declareSuperStreamPublisher({ superStream: name }, (content) => content)
  for (const key of keys) await publisher.send(Buffer.from(key), {})
  const doubled = Object.fromEntries(Object.entries(before).map(([partition, bodies]) => [
    partition, [...bodies, ...bodies]
  ]))
  await until('all messages of the client are there', async () => {
    return Object.values(await bodiesIn(name)).flat().length === 2 * keys.length || undefined
  })
  t.same(await bodiesIn(name), doubled)
  await publisher.close()
})

t.test('a consumer of the JavaScript client gets what the gateway publishes to a super stream', async (t) => {
  const name = await newSuper(t, { partitions: 3 })
  const messages = keys.map((routingKey) => ({ body: routingKey, bodyEncoding: 'text', routingKey }))
  const path = `/v1/super-streams/${name}/messages`
  t.match((await gateway.request('POST', path, { json: { messages } })).json, { confirmed: keys.length })
  const client = await connectClient(t)
  const received: string[] = []
  const options = { superStream: name, offset: jsClient.Offset.first(), consumerRef: 'reader' }
  const consumer = await client.declareSuperStreamConsumer(options, (message) => {
    received.push(message.content.toString())
  })
  await until('all messages have come', async () => received.length === keys.length || undefined)
  t.same(received.toSorted(), keys.toSorted())
  await consumer.close()
})

t.test('the gateway publishes to a super stream that the JavaScript client has made, and deletes it', async (t) => {
  const client = await connectClient(t)
  const name = `theirs-${randomUUID()}`
  await client.createSuperStream({ streamName: name, arguments: {} }, ['eu', 'us'])
  const { partitions } = record((await gateway.get(`/v1/super-streams/${name}`)).json)
  t.same(list(partitions).map((entry) => record(entry)['bindingKey']), ['eu', 'us'])
  const path = `/v1/super-streams/${name}/messages/lines?routing=key&routingKey=us`
  t.match((await gateway.request('POST', path, { body: 'x' })).json, { partitions: { [`${name}-us`]: 1 } })
  t.equal((await gateway.request('DELETE', `/v1/super-streams/${name}`)).status, 204)
})
