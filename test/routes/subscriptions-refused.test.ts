import t from 'tap'
import { exactly } from '../support/exactly.ts'
import { startGateway } from '../support/gateway.ts'
import { startPushGateway } from '../support/push-gateway.ts'
import { newSource } from '../support/subscriptions.ts'

const gateway = await startPushGateway(t)
const url = 'https://hooks.example.com/orders'
const source = await newSource(t, gateway)

t.test('a gateway whose push is turned off says so, and says nothing of subscriptions', async (t) => {
  const off = await startGateway(t)
  const path = `/v1/streams/${source.stream}/subscriptions`
  for (const [method, suffix] of [
    ['GET', ''], ['GET', '/a'], ['PUT', '/a'], ['DELETE', '/a'], ['POST', '/a/pause']
  ] as const) {
    const { json } = await off.request(method, path + suffix, { ...(method === 'PUT' && { json: { url } }) })
    t.match(json, { status: 403, code: 'push_disabled', retryable: false, detail: /PUSH_ENABLED=true/ })
  }
  t.match((await off.get('/v1/subscriptions')).json, { code: 'push_disabled' })
})

const BAD: ReadonlyArray<readonly [pointer: string, fields: object]> = [
  ['/url', { url: undefined }],
  ['/url', { url: 'orders' }],
  ['/url', { url: 'ftp://example.com/' }],
  ['/url', { url: 'https://user:secret@example.com/' }],
  ['/url', { url: 'https://10.0.0.1/' }],
  ['/url', { url: 'https://[::ffff:10.0.0.1]/' }],
  ['/url', { url: 'https://169.254.169.254/latest/meta-data' }],
  ['/url', { url: `https://example.com/${'a'.repeat(2048)}` }],
  ['/uri', { uri: 'https://example.com/' }],
  ['/start', { start: 3 }],
  ['/start', { start: { offset: -1 } }],
  ['/start', { start: { timestamp: 'yesterday' } }],
  ['/orderingKey', { ordering: 'key' }],
  ['/orderingKey', { ordering: 'key', orderingKey: 'body.id' }],
  ['/orderingKey', { orderingKey: 'properties.groupId' }],
  ['/concurrency', { concurrency: 2 }],
  ['/concurrency', { ordering: 'none', concurrency: 65 }],
  ['/concurrency', { ordering: 'none', concurrency: 0 }],
  ['/batch/maxMessages', { batch: { maxMessages: 1001 } }],
  ['/batch/maxBytes', { batch: { maxBytes: 4 * 1024 * 1024 + 1 } }],
  ['/batch/maxMessages', { format: 'raw', batch: { maxMessages: 2 } }],
  ['/batch/maxMessage', { batch: { maxMessage: 2 } }],
  ['/timeoutMs', { timeoutMs: 999 }],
  ['/timeoutMs', { timeoutMs: 60_001 }],
  ['/retry/maxDelayMs', { retry: { initialDelayMs: 5000, maxDelayMs: 1000 } }],
  ['/retry/factor', { retry: { factor: 0.5 } }],
  ['/filter/filterValues/0', { filter: { filterValues: ['é'.repeat(200)] } }],
  ['/onFailure', { onFailure: 'retry' }],
  ['/errorStream', { errorStream: 'amq.errors' }],
  ['/consumer', { consumer: 'a\nb' }],
  ['/secrets/0', { secrets: ['secret'] }],
  ['/secrets/0', { secrets: ['whsec_c2hvcnQ='] }],
  ['/secrets/0', { secrets: ['***'] }],
  ['/secrets', { secrets: [] }],
  ['/headers/authorization', { headers: { authorization: '***' } }],
  ['/headers/a', { headers: { a: 'b\r\nc: d' } }],
  ['/headers/a', { headers: { a: 'grüße' } }],
  ['/headers/a', { headers: { a: ' b' } }],
  ['/headers/a b', { headers: { 'a b': 'c' } }],
  ['/headers/A', { headers: { a: '1', A: '2' } }],
  ['/headers/Host', { headers: { Host: 'internal' } }],
  ['/headers/content-length', { headers: { 'content-length': '1' } }],
  ['/headers/Transfer-Encoding', { headers: { 'Transfer-Encoding': 'chunked' } }],
  ['/headers/webhook-id', { headers: { 'webhook-id': 'msg_1' } }],
  ['/headers/stream-offset', { headers: { 'stream-offset': '1' } }],
  ['/headers/delivery-attempt', { headers: { 'delivery-attempt': '1' } }],
  ['/headers/traceparent', { headers: { traceparent: '1' } }]
]

t.test('a subscription that cannot be meant is refused, and says where', async (t) => {
  for (const [pointer, fields] of BAD) {
    const { json } = await gateway.request('PUT', `${source.path}/bad`, { json: { url, ...fields } })
    t.match(json, { status: 400, code: 'validation_failed', errors: exactly({ pointer }) }, JSON.stringify(fields))
  }
  t.equal((await gateway.get(`${source.path}/bad`)).status, 404)
  t.equal((await gateway.get(`/v1/streams/${source.stream}_errors`)).status, 404, 'and nothing was created for it')
})

t.test('several faults are named together', async (t) => {
  const { json } = await gateway.request('PUT', `${source.path}/bad`, {
    json: { url: 'http:', ordering: 'key', headers: { host: 'a', 'webhook-id': 'b' } }
  })
  t.match(json, {
    errors: exactly(
      { pointer: '/orderingKey' }, { pointer: '/url' }, { pointer: '/headers/host' }, { pointer: '/headers/webhook-id' }
    )
  })
})

t.test('a name of a subscription has letters, digits and few signs', async (t) => {
  for (const name of ['a%20b', '.a', '-a', 'a%2Fb', '%C3%A9', 'a'.repeat(101)]) {
    t.equal((await gateway.request('PUT', `${source.path}/${name}`, { json: { url } })).status, 400, name)
  }
})

t.test('a subscription that is too large is refused, as it is sent and as it is kept', async (t) => {
  const headers = Object.fromEntries(Array.from({ length: 4 }, (_, at) => [`h${at}`, 'x'.repeat(4000)]))
  const put = async (headers: Record<string, string>) =>
    await gateway.request('PUT', `${source.path}/large`, { json: { url, headers } })
  t.match((await put(headers)).json, { status: 413, code: 'payload_too_large', limitBytes: 16_384 })
  t.match((await put({ a: 'x'.repeat(40_000) })).json, { status: 413, code: 'payload_too_large' })
  t.match((await put({ a: 'x'.repeat(5000) })).json, { status: 400, errors: exactly({ pointer: '/headers/a' }) })
})

t.test('messages that fail never come back: no error stream leads to its source', async (t) => {
  const [one, two, three] =
    [await newSource(t, gateway), await newSource(t, gateway), await newSource(t, gateway)]
  const put = async (path: string, errorStream: string, fields = {}) =>
    await gateway.request('PUT', `${path}/a`, { json: { url, errorStream, ...fields } })
  t.match((await put(one.path, one.stream)).json, { status: 422, code: 'error_stream_refused' })
  t.equal((await put(one.path, two.stream)).status, 201)
  t.equal((await put(two.path, three.stream)).status, 201)
  t.match((await put(three.path, one.stream)).json, { status: 422, code: 'error_stream_refused' })
  t.equal((await put(three.path, one.stream, { onFailure: 'drop' })).status, 201)
  t.match((await gateway.request('PATCH', `${three.path}/a`, { json: { onFailure: 'errorStream' } })).json, {
    code: 'error_stream_refused'
  })
})

t.test('an error stream is not a partition of the super stream that is delivered', async (t) => {
  const { stream } = await newSource(t, gateway)
  const name = `${stream}-all`
  await gateway.request('PUT', `/v1/super-streams/${name}`, { json: { partitions: 2 } })
  t.teardown(async () => {
    await gateway.request('DELETE', `/v1/super-streams/${name}`)
    await gateway.request('DELETE', `/v1/streams/${name}-errors`)
  })
  const path = `/v1/super-streams/${name}/subscriptions/a`
  const refused = await gateway.request('PUT', path, { json: { url, errorStream: `${name}-1` } })
  t.match(refused.json, { code: 'error_stream_refused' })
  const created = await gateway.request('PUT', path, { json: { url, errorStream: `${name}-errors` } })
  t.match(created.json, {
    superStream: name, status: { partitions: exactly({ partition: `${name}-0` }, { partition: `${name}-1` }) }
  })
  const ofPartition = await gateway.request('PUT', `/v1/streams/${name}-0/subscriptions/a`, { json: { url } })
  t.match(ofPartition.json, { code: 'validation_failed', errors: exactly({ pointer: '/consumer' }) })
  const other = await gateway.request('POST', `${path}/reset`, { json: { to: 'first', partitions: [`${name}-9`] } })
  t.match(other.json, { code: 'validation_failed', errors: exactly({ pointer: '/partitions' }) })
})

t.test('two subscriptions of a stream have consumers of their own', async (t) => {
  const { path } = await newSource(t, gateway)
  await gateway.request('PUT', `${path}/a`, { json: { url } })
  const { json } = await gateway.request('PUT', `${path}/b`, { json: { url, consumer: 'push.a' } })
  t.match(json, { code: 'validation_failed', errors: exactly({ pointer: '/consumer', message: /subscription "a"/ }) })
})

t.test('a skip of a message that the subscription does not stand on does nothing', async (t) => {
  const { path, stream } = await newSource(t, gateway)
  await gateway.publish(stream, 1, 2, 3)
  await gateway.request('PUT', `${path}/a`, { json: { url, paused: true } })
  await gateway.request('POST', `${path}/a/reset`, { json: { to: 'first' } })
  const { json } = await gateway.request('POST', `${path}/a/skip`, { json: { offset: 1 } })
  t.match(json, { status: 409, code: 'subscription_stands_elsewhere', nextOffset: 0 })
})

t.test('a message that is not there yet is not skipped', async (t) => {
  const { path } = await newSource(t, gateway)
  await gateway.request('PUT', `${path}/a`, { json: { url, paused: true, start: 'first' } })
  await gateway.request('POST', `${path}/a/reset`, { json: { to: 'first' } })
  const { json } = await gateway.request('POST', `${path}/a/skip`, { json: { offset: 0 } })
  t.match(json, { status: 409, code: 'subscription_stands_elsewhere', detail: /no message to skip/ })
})

t.test('a redrive of what is not in the error stream is refused', async (t) => {
  const { path, stream } = await newSource(t, gateway)
  await gateway.request('PUT', `${path}/a`, { json: { url, paused: true } })
  const empty = await gateway.request('POST', `${path}/a/redrives`)
  t.match(empty.json, { status: 422, code: 'offset_beyond_end', nextOffset: 0 })
  await gateway.publish(`${stream}_errors`, 1, 2, 3)
  const reversed = await gateway.request('POST', `${path}/a/redrives`, { json: { from: { offset: 2 }, to: 1 } })
  t.match(reversed.json, { status: 422, code: 'offset_beyond_end' })
  for (const method of ['GET', 'DELETE'] as const) {
    const { json } = await gateway.request(method, `${path}/a/redrives/unknown`)
    t.match(json, { status: 404, code: 'redrive_not_found' })
  }
})

t.test('at most ten redrives of a subscription run', async (t) => {
  const { path, stream } = await newSource(t, gateway)
  await gateway.request('PUT', `${path}/a`, { json: { url, paused: true } })
  await gateway.publish(`${stream}_errors`, 1, 2, 3)
  for (let count = 0; count < 10; count++) {
    const { status, json } = await gateway.request('POST', `${path}/a/redrives`, { json: { limit: 1 } })
    t.equal(status, 202)
    t.match(json, { state: 'running', from: 0, to: 2, limit: 1, class: null, status: null })
  }
  t.match((await gateway.request('POST', `${path}/a/redrives`)).json, { status: 409, code: 'too_many_redrives' })
  const { redrives: [first] } = JSON.parse((await gateway.get(`${path}/a/redrives`)).text)
  t.equal((await gateway.request('DELETE', `${path}/a/redrives/${first.id}`)).status, 204)
  t.match((await gateway.get(`${path}/a/redrives/${first.id}`)).json, { id: first.id, state: 'cancelled' })
  t.equal((await gateway.request('DELETE', `${path}/a/redrives/${first.id}`)).status, 204)
  t.equal((await gateway.request('POST', `${path}/a/redrives`)).status, 202)
})
