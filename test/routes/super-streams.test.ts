import { randomUUID } from 'node:crypto'
import t from 'tap'
import { startGateway } from '../support/gateway.ts'
import { newKey, startKeyedGateway } from '../support/keyed-gateway.ts'
import { list, record } from '../support/schema-values.ts'
import { bindPartition, newSuperStream } from '../support/super-streams.ts'
import { until } from '../support/until.ts'

const gateway = await startGateway(t)

t.test('what is asked of a super stream is answered with its partitions', async (t) => {
  const name = `invoices-${randomUUID()}`
  const partitions = [`${name}-0`, `${name}-1`, `${name}-2`]
  await newSuperStream(t, name, partitions)
  const path = `/v1/streams/${name}`
  const json = { messages: [{ body: 1 }] }
  const answers = await Promise.all([
    gateway.get(path),
    gateway.get(`${path}/messages`),
    gateway.get(`${path}/messages?offset=next`),
    gateway.get(`${path}/messages/0`),
    gateway.get(`${path}/consumers/c/messages`),
    gateway.get(`${path}/consumers/c/offset`),
    gateway.request('POST', `${path}/messages`, { json }),
    gateway.request('POST', `${path}/messages/lines?publisher=p&firstPublishingId=1`, { body: 'x' }),
    gateway.request('PUT', `${path}/consumers/c/offset`, { json: { offset: 0 } })
  ])
  for (const answer of answers) {
    const detail = /^this is a super stream, which has routes of its own/
    t.match(answer.json, { status: 404, code: 'stream_not_found', detail, superStream: true })
    t.same(partitionsIn(answer.json), partitions)
  }
  const published = await gateway.request('POST', `/v1/streams/${partitions[1]}/messages`, { json })
  t.match(published.json, { confirmed: 1 })
})

t.test('partitions that are bound after the first look are seen soon', async (t) => {
  const name = `invoices-${randomUUID()}`
  const partitions = Array.from({ length: 3 }, (_, order) => `${name}-${order}`)
  const listed = async (): Promise<unknown> => {
    return list(record((await gateway.get(`/v1/super-streams/${name}`)).json)['partitions']).length
  }
  await newSuperStream(t, name, partitions.slice(0, 2))
  t.equal(await listed(), 2)
  await bindPartition(t, name, partitions[2] ?? '', 2)
  await until('all are known', async () => await listed() === 3, 3000)
})

t.test('a stream is not created under the name of a super stream', async (t) => {
  const name = `invoices-${randomUUID()}`
  await newSuperStream(t, name, [`${name}-0`, `${name}-1`])
  const { json } = await gateway.request('PUT', `/v1/streams/${name}`)
  t.match(json, { status: 409, code: 'super_stream_exists', superStream: true })
  t.same(partitionsIn(json), [`${name}-0`, `${name}-1`])
  t.match(await gateway.request('PUT', `/v1/streams/${name}-0`), { status: 200 }, 'a partition is a stream')
})

t.test('a partition is deleted only with a word of consent', async (t) => {
  const name = `invoices-${randomUUID()}`
  const partitions = [`${name}-0`, `${name}-north-west`]
  await newSuperStream(t, name, partitions)
  for (const partition of partitions) {
    const { json } = await gateway.request('DELETE', `/v1/streams/${partition}`)
    t.match(json, { status: 409, code: 'stream_is_partition', superStream: name, sideEffects: 'none' })
    t.equal((await gateway.get(`/v1/streams/${partition}`)).status, 200)
    t.equal((await gateway.request('DELETE', `/v1/streams/${partition}?force=true`)).status, 204)
    t.match((await gateway.get(`/v1/streams/${partition}`)).json, { status: 404 })
  }
})

t.test('the names are those of the API, whatever pattern they have on the broker', async (t) => {
  const shop = await startGateway(t, { STREAM_NAME_PATTERN: 'shop_{name}' })
  const name = `invoices-${randomUUID()}`
  await newSuperStream(t, `shop_${name}`, [`shop_${name}-0`])
  t.same(partitionsIn((await shop.get(`/v1/streams/${name}`)).json), [`${name}-0`])
  const refused = await shop.request('DELETE', `/v1/streams/${name}-0`)
  t.match(refused.json, { code: 'stream_is_partition', superStream: name })
})

t.test('an exchange that leads to streams of other names is not a super stream', async (t) => {
  const exchange = `orders-${randomUUID()}`
  const stream = `${randomUUID()}-archive`
  await newSuperStream(t, exchange, [stream])
  t.notHas((await gateway.get(`/v1/streams/${exchange}`)).json, { partitions: [stream] })
  t.equal((await gateway.request('PUT', `/v1/streams/${exchange}`)).status, 201)
  t.equal((await gateway.request('DELETE', `/v1/streams/${exchange}`)).status, 204)
  t.equal((await gateway.request('DELETE', `/v1/streams/${stream}`)).status, 204)
})

t.test('a stream with hyphens in its name that belongs to no super stream is deleted as ever', async () => {
  const name = `a-b-c-d-e-f-g-h-i-j-${randomUUID()}`
  t.equal((await gateway.request('PUT', `/v1/streams/${name}`)).status, 201)
  t.equal((await gateway.request('DELETE', `/v1/streams/${name}`)).status, 204)
})

function partitionsIn (json: unknown): string[] | undefined {
  const { partitions }: { partitions?: string[] } = JSON.parse(JSON.stringify(json))
  return partitions
}

t.test('a key is told of no partition, and of no super stream, that it may do nothing with', async (t) => {
  const name = `invoices-${randomUUID()}`
  const partitions = [`${name}-0`, `${name}-1`, `${name}-2`]
  await newSuperStream(t, name, partitions)
  const reader = newKey({ scopes: [`read:*/${name}`, `read:*/${name}-1`, `write:*/${name}-2`, `write:*/${name}`] })
  const owner = newKey({ scopes: [`configure:*/${name}-0`] })
  const { gateway } = await startKeyedGateway(t, reader, owner)
  const path = `/v1/streams/${name}`
  const { headers } = reader
  const answers = await Promise.all([
    gateway.get(`${path}/messages`, headers),
    gateway.request('POST', `${path}/messages`, { json: { messages: [{ body: 1 }] }, headers }),
    gateway.request('POST', `${path}/messages/lines`, { body: 'x', headers })
  ])
  for (const { json } of answers) t.same(partitionsIn(json), partitions.slice(1))
  const { json } = await gateway.request('DELETE', `${path}-0`, { headers: owner.headers })
  t.match(json, { code: 'stream_is_partition', superStream: undefined })
})
