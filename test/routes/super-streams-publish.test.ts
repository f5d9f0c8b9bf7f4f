import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import { hashOf } from '../../src/streams/partitions/hash.ts'
import { exactly } from '../support/exactly.ts'
import { startGateway, type RequestOptions } from '../support/gateway.ts'
import { newKey, startKeyedGateway } from '../support/keyed-gateway.ts'
import { list, record } from '../support/schema-values.ts'
import { manage } from '../support/super-streams.ts'
import { until } from '../support/until.ts'

const gateway = await startGateway(t)
const NDJSON = { 'content-type': 'application/x-ndjson' }

/** A super stream of its own for a test; it is deleted with the test. */
async function newSuper (t: Test, json: object = { partitions: 3 }): Promise<string> {
  const name = `orders-${randomUUID()}`
  t.equal((await gateway.request('PUT', `/v1/super-streams/${name}`, { json })).status, 201)
  t.teardown(async () => { await gateway.request('DELETE', `/v1/super-streams/${name}`) })
  return name
}

async function post (name: string, path: string, options: RequestOptions) {
  return await gateway.request('POST', `/v1/super-streams/${name}/${path}`, options)
}

async function bodiesIn (partition: string): Promise<unknown[]> {
  const { messages } = record((await gateway.get(`/v1/streams/${partition}/messages?limit=1000`)).json)
  return list(messages).map((message) => record(message)['body'])
}

const place = (key: string, partitions = 3) => hashOf(key) % partitions
const keys = Array.from({ length: 60 }, (_, index) => `customer-${index}`)
const counts = (name: string) => {
  const partitions: Record<string, number> = {}
  for (const key of keys) {
    const partition = `${name}-${place(key)}`
    partitions[partition] = (partitions[partition] ?? 0) + 1
  }
  return partitions
}

t.test('a message goes to the partition that the hash of its routing key chooses, and keeps its order', async (t) => {
  const name = await newSuper(t)
  const messages = keys.map((routingKey) => ({ body: routingKey, routingKey }))
  const whole = await post(name, 'messages', { json: { messages } })
  t.match(whole, { status: 200 })
  t.same(whole.json, { confirmed: 60, duplicates: 0, partitions: counts(name) })
  const lines = messages.map((message) => `${JSON.stringify(message)}\n`).join('')
  const streamed = await post(name, 'messages', { body: lines, headers: NDJSON })
  t.same(streamed.json, { confirmed: 60, duplicates: 0, partitions: counts(name) })
  for (const at of [0, 1, 2]) {
    const ours = keys.filter((key) => place(key) === at)
    t.same(await bodiesIn(`${name}-${at}`), [...ours, ...ours], `partition ${at}`)
  }
})

t.test('an answer names the partitions in their order, whichever got a message first', async (t) => {
  const name = await newSuper(t)
  const inTurn = [2, 1, 0].map((wanted) => keys.find((key) => place(key) === wanted))
  for (const routingKeys of [inTurn, inTurn.toReversed()]) {
    const json = { messages: routingKeys.map((routingKey) => ({ body: 1, routingKey })) }
    const { partitions } = record((await post(name, 'messages', { json })).json)
    t.same(Object.keys(record(partitions)), [`${name}-0`, `${name}-1`, `${name}-2`])
  }
})

t.test('the key of the request is that of all messages without one of their own', async (t) => {
  const name = await newSuper(t)
  const lines = await post(name, 'messages/lines?routingKey=abcd', { body: 'a\nb\nc\n' })
  t.same(lines.json, { confirmed: 3, duplicates: 0, partitions: { [`${name}-2`]: 3 } })
  const raw = await post(name, 'messages/raw?routingKey=abcd', { body: 'r', headers: { 'content-type': 'text/plain' } })
  t.same(raw.json, { confirmed: 1, duplicates: 0, partitions: { [`${name}-2`]: 1 } })
  const own = await post(name, 'messages/raw?routingKey=abcd', {
    body: 'raw', headers: { 'content-type': 'text/plain', 'routing-key': 'Zürich' }
  })
  t.same(own.json, { confirmed: 1, duplicates: 0, partitions: { [`${name}-1`]: 1 } })
  const mixed = await post(name, 'messages?routingKey=abcd', {
    json: { messages: [{ body: 1 }, { body: 2, routingKey: 'abc' }, { body: 3 }] }
  })
  t.same(mixed.json, { confirmed: 3, duplicates: 0, partitions: { [`${name}-2`]: 2, [`${name}-0`]: 1 } })
  t.same(await post(name, 'messages', { json: { messages: [] } }).then(({ json }) => json), {
    confirmed: 0, duplicates: 0, partitions: {}
  })
})

t.test('a message without a key is refused where there are several partitions', async (t) => {
  const name = await newSuper(t)
  const json = { messages: [{ body: 1, routingKey: 'a' }, { body: 2 }] }
  const refused = await post(name, 'messages', { json })
  t.match(refused.json, {
    status: 400, code: 'validation_failed', sideEffects: 'none', detail: /^message 1 has no routing key/
  })
  for (const at of [0, 1, 2]) t.same(await bodiesIn(`${name}-${at}`), [], 'nothing of it was sent')
  t.match((await post(name, 'messages/lines', { body: 'a\n' })).json, { status: 400 })
  t.match((await post(name, 'messages/lines', { body: 'a\n' })).json, { status: 400 })
  const single = await newSuper(t, { partitions: 1 })
  t.match((await post(single, 'messages/lines', { body: 'a\nb\n' })).json, { confirmed: 2 })
})

t.test('a routing key has 1 to 255 bytes, and a stream takes none', async (t) => {
  const name = await newSuper(t)
  for (const routingKey of ['', 'x'.repeat(256), 'é'.repeat(128)]) {
    const json = { messages: [{ body: 1, routingKey }] }
    t.match((await post(name, 'messages', { json })).json, {
      status: 400, errors: exactly({ pointer: '/messages/0/routingKey' })
    })
    const query = encodeURIComponent(routingKey)
    t.match((await post(name, `messages/lines?routingKey=${query}`, { body: 'a' })).json, { status: 400 })
  }
  t.match((await post(name, 'messages/lines?routing=other&routingKey=a', { body: 'a' })).json, { status: 400 })
  const toStream = await gateway.request('POST', `/v1/streams/${name}-0/messages`, {
    json: { messages: [{ body: 1, routingKey: 'a' }] }
  })
  t.match(toStream.json, {
    status: 400, errors: exactly({ pointer: '/messages/0/routingKey', message: /^is for super streams/ })
  })
  const query = await gateway.request('POST', `/v1/streams/${name}-0/messages/lines?routingKey=a`, { body: 'a' })
  t.match(query.json, { status: 400, errors: exactly({ pointer: '/query/routingKey' }) })
  const again = { body: 1, routingKey: 'a', partition: `${name}-1`, offset: 3, timestamp: '2026-01-31T12:00:00.000Z' }
  t.match((await post(name, 'messages', { json: { messages: [again] } })).json, { confirmed: 1 })
})

t.test('by key, a message goes to each partition that is bound with it', async (t) => {
  const name = await newSuper(t, { bindingKeys: ['eu', 'us', 'asia'] })
  // The partition `us` gets what is for `eu` too.
  await manage('POST', `bindings/%2f/e/${name}/q/${name}-us`, { routing_key: 'eu', arguments: {} })
  const messages = ['eu', 'us', 'eu', 'mars', 'asia'].map((routingKey, at) => ({ body: at, routingKey }))
  const answer = await post(name, 'messages?routing=key', { json: { messages } })
  t.equal(answer.status, 207)
  t.same(answer.json, {
    confirmed: 4,
    duplicates: 0,
    partitions: { [`${name}-eu`]: 2, [`${name}-us`]: 3, [`${name}-asia`]: 1 },
    results: [{ index: 3, status: 'failed', code: 'no_route' }]
  })
  t.same(await bodiesIn(`${name}-us`), [0, 1, 2])
  t.same(await bodiesIn(`${name}-eu`), [0, 2])
  const lines = await post(name, 'messages/lines?routing=key&routingKey=eu', { body: 'x\ny\n' })
  t.same(lines.json, { confirmed: 2, duplicates: 0, partitions: { [`${name}-eu`]: 2, [`${name}-us`]: 2 } })
  const alone = await post(name, 'messages/lines?routing=key&routingKey=mars', { body: 'x\n' })
  t.match(alone.json, { status: 422, code: 'no_route', sideEffects: 'none' })
})

t.test('a repeat of a request under a publisher name stores nothing again', async (t) => {
  const name = await newSuper(t)
  const messages = keys.map((routingKey, at) => ({ body: at, routingKey, publishingId: at + 1 }))
  const first = await post(name, 'messages?publisher=p', { json: { messages: messages.slice(0, 30) } })
  t.match(first.json, { confirmed: 30, duplicates: 0, lastPublishingId: 30 })
  const repeated = record((await post(name, 'messages?publisher=p', { json: { messages } })).json)
  t.match(repeated, { confirmed: 30, duplicates: 30, lastPublishingId: 60 })
  t.match((await post(name, 'messages?publisher=p', { json: { messages } })).json, { confirmed: 0, duplicates: 60 })
  for (const at of [0, 1, 2]) {
    t.same(await bodiesIn(`${name}-${at}`), keys.flatMap((key, index) => place(key) === at ? [index] : []))
  }
  const lines = 'messages/lines?publisher=q&firstPublishingId=1&routingKey=a'
  t.match((await post(name, lines, { body: 'a\nb\n' })).json, { confirmed: 2 })
  t.match((await post(name, lines, { body: 'a\nb\nc\n' })).json, { confirmed: 1, duplicates: 2 })
})

t.test('requests under one publisher name do not wait for each other at two partitions', async (t) => {
  const name = await newSuper(t)
  const requests = Array.from({ length: 6 }, async (_, at) => {
    const order = at % 2 === 0 ? keys : keys.toReversed()
    const lines = order.map((routingKey, id) => `${JSON.stringify({ body: id, routingKey, publishingId: id + 1 })}\n`)
    async function * slowly () {
      for (const line of lines) yield Buffer.from(line)
    }
    return await post(name, 'messages?publisher=p', { body: slowly(), headers: NDJSON })
  })
  for (const { status, json } of await Promise.all(requests)) {
    const { confirmed, duplicates } = record(json)
    t.equal(status, 200)
    t.equal(Number(confirmed) + Number(duplicates), 60)
  }
})

t.test('what is published follows a super stream that was deleted and made anew', async (t) => {
  const name = await newSuper(t, { partitions: 3 })
  const json = { messages: keys.map((routingKey) => ({ body: routingKey, routingKey })) }
  t.match((await post(name, 'messages', { json })).json, { confirmed: 60 })
  const other = await startGateway(t) // which does not tell this one
  t.equal((await other.request('DELETE', `/v1/super-streams/${name}`)).status, 204)
  // The broker answers before the last replica is gone: a message on its way may still have another outcome.
  const gone = await until('the super stream is known to be gone', async () => {
    const answer = await post(name, 'messages', { json })
    return answer.status === 404 && answer
  })
  t.match(gone.json, { status: 404, code: 'super_stream_not_found' })
  t.equal((await other.request('PUT', `/v1/super-streams/${name}`, { json: { partitions: 2 } })).status, 201)
  const answer = record((await post(name, 'messages', { json })).json)
  t.equal(answer['confirmed'], 60)
  t.same(Object.keys(record(answer['partitions'])).sort(), [`${name}-0`, `${name}-1`])
  t.equal((await bodiesIn(`${name}-0`)).length, keys.filter((key) => place(key, 2) === 0).length)
})

t.test('a partition that is deleted by hand is published to no more', async (t) => {
  const name = await newSuper(t)
  const json = { messages: keys.map((routingKey) => ({ body: routingKey, routingKey })) }
  t.match((await post(name, 'messages', { json })).json, { confirmed: 60 })
  await manage('DELETE', `queues/%2f/${name}-2`)
  // A message that was on its way to it may have no outcome. From then on it is known.
  await post(name, 'messages', { json })
  const answer = record((await post(name, 'messages', { json })).json)
  t.equal(answer['confirmed'], 60)
  t.same(Object.keys(record(answer['partitions'])).sort(), [`${name}-0`, `${name}-1`])
})

t.test('names are those of the API, and a key needs its right on each partition', async (t) => {
  const name = await newSuper(t)
  const writer = newKey({ scopes: [`write:*/${name}`, `write:*/${name}-*`] })
  const half = newKey({ scopes: [`write:*/${name}`, `write:*/${name}-0`] })
  const { gateway } = await startKeyedGateway(t, writer, half)
  const path = `/v1/super-streams/${name}/messages/lines?routingKey=abc`
  t.match((await gateway.request('POST', path, { body: 'a', headers: writer.headers })).json, { confirmed: 1 })
  t.match((await gateway.request('POST', path, { body: 'a', headers: half.headers })).json, {
    status: 403, code: 'access_refused', detail: `the caller has no "write" on the stream "${name}-1"`
  })
  const shop = await startGateway(t, { STREAM_NAME_PATTERN: 'orders-{name}' })
  const short = name.slice('orders-'.length)
  const answer = await shop.request('POST', `/v1/super-streams/${short}/messages/lines?routingKey=abc`, { body: 'a' })
  t.same(answer.json, { confirmed: 1, duplicates: 0, partitions: { [`${short}-0`]: 1 } })
})

t.test('filter values, compressed entries and large bodies go to partitions as to streams', async (t) => {
  const name = await newSuper(t)
  const messages = keys.map((routingKey, at) => ({ body: at, routingKey, ...(at % 2 === 1 && { filterValue: 'odd' }) }))
  const filtered = await post(name, 'messages', { json: { messages } })
  t.match(filtered.json, { confirmed: 60 })
  const line = (routingKey: string) => `${JSON.stringify({ body: 'x'.repeat(1000), routingKey })}\n`
  const body = Array.from({ length: 200 }, () => keys.map(line).join('')).join('')
  const compressed = await post(name, 'messages?compression=gzip', { body, headers: NDJSON })
  t.match(compressed.json, { confirmed: 12_000, duplicates: 0 })
  const plain = await post(name, 'messages', { body, headers: NDJSON })
  t.match(plain.json, { confirmed: 12_000, duplicates: 0 })
  const withBad = `${line('a')}${line('b')}{"body":1,"routingKey":7}\n`
  const bad = await post(name, 'messages', { body: withBad, headers: NDJSON })
  t.match(bad.json, { status: 400, published: { confirmed: 2, duplicates: 0 } })
  const large = await post(name, 'messages', {
    json: { messages: [{ body: 1, routingKey: 'a' }, { body: 'x'.repeat(1024 * 1024), routingKey: 'b' }] }
  })
  t.match(large.json, { status: 413, index: 1 })
})

t.test('what is no super stream is told as such', async (t) => {
  const stream = await gateway.newStream(t)
  t.match((await post(stream, 'messages/lines?routingKey=a', { body: 'a' })).json, {
    status: 404, code: 'super_stream_not_found', detail: /^this is a stream/
  })
  t.match((await post(randomUUID(), 'messages/lines?routingKey=a', { body: 'a' })).json, { status: 404 })
})
