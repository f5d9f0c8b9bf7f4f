import { randomUUID } from 'node:crypto'
import t from 'tap'
import { testManagementUrl } from '../support/broker.ts'
import { startGateway } from '../support/gateway.ts'
import { exactly } from '../support/exactly.ts'

const gateway = await startGateway(t)

t.test('a stream is created once, and the same way again it is there', async (t) => {
  const stream = await gateway.newStream(t, { maxAge: '7D', maxLengthBytes: 5_000_000_000, maxSegmentSizeBytes: 500_000_000, initialClusterSize: 1, leaderLocator: 'client-local', filterSizeBytes: 16 })
  const put = async (json: unknown) => await gateway.request('PUT', `/v1/streams/${stream}`, { json })
  const same = await put({ maxAge: '7D', maxLengthBytes: 5_000_000_000, maxSegmentSizeBytes: 500_000_000, initialClusterSize: 1, leaderLocator: 'client-local', filterSizeBytes: 16 })
  t.match(same, { status: 200, json: { name: stream } })
  t.match((await put({ maxAge: '8D' })).json, { status: 409, code: 'stream_arguments_differ', detail: 'the stream exists with other values of: maxLengthBytes, maxAge, maxSegmentSizeBytes, initialClusterSize, leaderLocator, filterSizeBytes' })
  t.match((await put({ maxAge: '7D', maxLengthBytes: 5_000_000_000, maxSegmentSizeBytes: 500_000_000, initialClusterSize: 1, leaderLocator: 'balanced', filterSizeBytes: 16 })).json, { status: 409, detail: /values of: leaderLocator$/ })
})

t.test('a queue of the name that is no stream is called so', async (t) => {
  const name = `test-${randomUUID()}`
  const { origin, username, password } = new URL(testManagementUrl())
  const queue = async (method: string, body?: string) => await fetch(`${origin}/api/queues/%2f/${name}`, { method, body: body ?? null, headers: { authorization: `Basic ${btoa(`${username}:${password}`)}` } })
  t.equal((await queue('PUT', '{"durable":true}')).status, 201)
  t.teardown(async () => { await queue('DELETE') })
  t.match((await gateway.request('PUT', `/v1/streams/${name}`, { json: { maxAge: '7D' } })).json, { status: 409, code: 'stream_arguments_differ', detail: 'the name is taken by a queue that is not a stream' })
})

t.test('a stream needs no arguments and no body', async (t) => {
  const stream = await gateway.newStream(t)
  t.match(await gateway.request('PUT', `/v1/streams/${stream}`), { status: 200 })
  t.match(await gateway.request('PUT', `/v1/streams/${stream}`, { json: {} }), { status: 200 })
  t.match(await gateway.request('PUT', `/v1/streams/${stream}`, { headers: { 'content-type': 'application/json' } }), { status: 200 }, 'a content type without a body')
})

t.test('arguments that the broker would choke on are refused here', async (t) => {
  const cases: Array<[object, string]> = [
    [{ maxAge: 'abc' }, '/maxAge'], [{ maxAge: '5x' }, '/maxAge'], [{ maxAge: '0s' }, '/maxAge'], [{ maxAge: 7 }, '/maxAge'], [{ maxAge: '7D\n' }, '/maxAge'],
    [{ maxLengthBytes: 0 }, '/maxLengthBytes'], [{ maxLengthBytes: '5' }, '/maxLengthBytes'], [{ maxLengthBytes: 1.5 }, '/maxLengthBytes'], [{ maxLengthBytes: 2 ** 53 }, '/maxLengthBytes'],
    [{ maxSegmentSizeBytes: 3_000_000_001 }, '/maxSegmentSizeBytes'], [{ initialClusterSize: 0 }, '/initialClusterSize'], [{ leaderLocator: 'random' }, '/leaderLocator'],
    [{ filterSizeBytes: 15 }, '/filterSizeBytes'], [{ filterSizeBytes: 256 }, '/filterSizeBytes'], [{ maxage: '7D' }, '/maxage'], [[], ''], [{ 'a/b~c': 1 }, '/a~1b~0c']
  ]
  for (const [json, pointer] of cases) {
    t.match((await gateway.request('PUT', '/v1/streams/never', { json })).json, { status: 400, code: 'validation_failed', errors: exactly({ pointer }) }, JSON.stringify(json))
  }
  t.match((await gateway.request('PUT', '/v1/streams/never', { json: { maxAge: '7d' } })).json, { errors: exactly({ message: /a number and Y, M, D, h, m or s/ }) })
  t.match((await gateway.get('/v1/streams/never')).json, { status: 404, code: 'stream_not_found' })
})

t.test('many errors are reported as twenty', async (t) => {
  const json = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`x${n}`, n]))
  t.match((await gateway.request('PUT', '/v1/streams/never', { json })).json, { status: 400, errors: { length: 20 } })
})

t.test('names that the broker would change or keep for itself are refused', async (t) => {
  for (const name of ['a%0Ab', 'a%0D', '%00', 'a%C2%85', 'amq.x', 'a'.repeat(201), '%C3%A9'.repeat(101), 'x'.repeat(2000)]) {
    t.match((await gateway.request('PUT', `/v1/streams/${name}`)).json, { status: 400, code: 'validation_failed' }, name.slice(0, 20))
  }
  for (const name of ['%ff', '%', 'a%2', '%C3']) t.match((await gateway.get(`/v1/streams/${name}`)).json, { status: 400, code: 'bad_request' }, name)
})

t.test('any other name works, percent-encoded', async (t) => {
  const id = randomUUID()
  for (const name of [`a/b?c#d ${id}`, `ä€😀 ${id}`, `100% ${id}`, `..${id}`, `a+b&c=d;${id}`, `<"'>${id}`, 'x'.repeat(200 - id.length) + id, '€'.repeat(54) + id]) {
    const path = `/v1/streams/${encodeURIComponent(name)}`
    t.match(await gateway.request('PUT', path), { status: 201, json: { name } }, name.slice(0, 20))
    t.match((await gateway.request('POST', `${path}/messages`, { json: { messages: [{ body: name }] } })).json, { confirmed: 1 })
    const read = await gateway.get(`${path}/messages`)
    t.match(read.json, { messages: exactly({ body: name }) })
    t.match((await gateway.get(/^<(.*)>/.exec(String(read.headers.link))?.[1] ?? '')).json, { messages: exactly(), nextOffset: 1 }, 'its link works')
    t.match((await gateway.get(`${path}`)).json, { name })
    t.match(await gateway.request('DELETE', path), { status: 204, text: '' })
  }
})

t.test('a description tells where a stream begins and ends', async (t) => {
  const stream = await gateway.newStream(t)
  t.match((await gateway.get(`/v1/streams/${stream}`)).json, { name: stream, firstOffset: 0, nextOffset: 0, leader: /:\d+$/, sources: { management: 'ok' } })
  await gateway.publish(stream, 1, 2, 3)
  t.match((await gateway.get(`/v1/streams/${stream}`)).json, { firstOffset: 0, nextOffset: 3 })
})

t.test('a description repeats what a stream was created with', async (t) => {
  const args = { maxAge: '7D', maxLengthBytes: 5_000_000_000, leaderLocator: 'balanced' }
  const stream = await gateway.newStream(t, args)
  t.match((await gateway.get(`/v1/streams/${stream}`)).json, { arguments: args })
})

t.test('a description says when it is a shorter one because the management API did not answer', async (t) => {
  const stream = await gateway.newStream(t)
  const locked = await startGateway(t, { RABBITMQ_MANAGEMENT_URL: testManagementUrl().replace('guest:guest@', 'guest:wrong@') })
  const { json } = await locked.get(`/v1/streams/${stream}`)
  t.match(json, { name: stream, sources: { management: 'failed' } })
  t.notHas(json, { arguments: {} })
  t.match((await locked.get(`/v1/streams/${stream}/consumers`)).json, { consumers: exactly(), sources: { management: 'failed' } })
  t.equal(locked.log.filter(({ msg }) => String(msg).startsWith('the management API could not be asked')).length, 2, 'the log says it, of each')
})

t.test('a deleted stream is gone', async (t) => {
  const stream = await gateway.newStream(t)
  t.equal((await gateway.request('DELETE', `/v1/streams/${stream}`, { headers: { 'content-type': 'application/json' } })).status, 204)
  for (const method of ['GET', 'DELETE'] as const) t.match((await gateway.request(method, `/v1/streams/${stream}`)).json, { status: 404, code: 'stream_not_found' })
})

t.test('streams are listed by pages', async (t) => {
  const prefix = `list-${randomUUID()}-`
  for (const name of ['c', 'a', 'b']) {
    await gateway.request('PUT', `/v1/streams/${prefix}${name}`)
    t.teardown(async () => { await gateway.request('DELETE', `/v1/streams/${prefix}${name}`) })
  }
  const first = await gateway.get(`/v1/streams?prefix=${prefix}&limit=2`)
  t.same(first.json, { streams: [`${prefix}a`, `${prefix}b`], nextCursor: `${prefix}b` })
  t.same((await gateway.get(`/v1/streams?prefix=${prefix}&limit=2&cursor=${prefix}b`)).json, { streams: [`${prefix}c`], nextCursor: null })
  for (const query of ['limit=0', 'limit=1001', 'cursor=', 'page=1']) t.match((await gateway.get(`/v1/streams?${query}`)).json, { status: 400 }, query)
})

t.test('without a management API streams cannot be listed, and can be described', async (t) => {
  const gateway = await startGateway(t, { RABBITMQ_MANAGEMENT_URL: '' })
  t.match((await gateway.get('/v1/streams')).json, { status: 501, code: 'management_not_configured' })
  const stream = await gateway.newStream(t)
  const { json } = await gateway.get(`/v1/streams/${stream}`)
  t.match(json, { name: stream, sources: { management: 'not_configured' } })
  t.notHas(json, { arguments: {} })
})

t.test('a pattern maps names, and is never seen from outside', async (t) => {
  const prefix = `p${randomUUID()}_`
  const mapped = await startGateway(t, { STREAM_NAME_PATTERN: `${prefix}{name}_x` })
  const stream = await mapped.newStream(t)
  t.match((await mapped.get(`/v1/streams/${stream}`)).json, { name: stream })
  t.same((await mapped.get('/v1/streams')).json, { streams: [stream], nextCursor: null })
  t.match((await gateway.get(`/v1/streams/${prefix}${stream}_x`)).json, { name: `${prefix}${stream}_x` }, 'the broker calls it by the pattern')
})
