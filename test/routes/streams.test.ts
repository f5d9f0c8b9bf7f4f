import { randomUUID } from 'node:crypto'
import t from 'tap'
import { testManagementUrl } from '../support/broker.ts'
import { startGateway, type Answer } from '../support/gateway.ts'
import { exactly } from '../support/exactly.ts'

const gateway = await startGateway(t)

t.test('a stream is created once; created again in the same way it is there', async (t) => {
  const args = {
    maxAge: '7D',
    maxLengthBytes: 5_000_000_000,
    maxSegmentSizeBytes: 500_000_000,
    initialClusterSize: 1,
    leaderLocator: 'client-local',
    filterSizeBytes: 16
  }
  const stream = await gateway.newStream(t, args)
  const put = async (json: unknown) => await gateway.request('PUT', `/v1/streams/${stream}`, { json })
  t.match(await put(args), { status: 200, json: { name: stream, arguments: args } })
  t.match((await put({ maxAge: '8D', maxLengthBytes: 1 })).json, {
    status: 409,
    code: 'stream_arguments_differ',
    detail: 'the stream exists with other values of: maxLengthBytes, maxAge'
  })
  const otherLocator = await put({ ...args, leaderLocator: 'balanced' })
  t.match(otherLocator.json, { status: 409, detail: /values of: leaderLocator$/ })
})

t.test('arguments that are left out are not compared, and the answer says what the stream has', async (t) => {
  const args = { maxAge: '7D', maxLengthBytes: 5_000_000_000 }
  const stream = await gateway.newStream(t, args)
  const put = async (json?: object, by = gateway) =>
    await by.request('PUT', `/v1/streams/${stream}`, { ...(json !== undefined && { json }) })
  for (const some of [undefined, {}, { maxAge: '7D' }, { maxLengthBytes: 5_000_000_000 }, args]) {
    t.match(await put(some), { status: 200, json: { name: stream, arguments: args } }, JSON.stringify(some))
  }
  t.match((await put({ filterSizeBytes: 16 })).json, { status: 409, detail: /values of: filterSizeBytes$/ })

  const without = await startGateway(t, { RABBITMQ_MANAGEMENT_URL: '' })
  for (const none of [undefined, {}]) {
    const { status, json } = await put(none, without)
    t.equal(status, 200)
    t.same(json, { name: stream }, 'the arguments cannot be known')
  }
  t.match(await put(args, without), { status: 200, json: { arguments: args } })
  t.match((await put({ maxAge: '7D' }, without)).json, { status: 409, detail: /other or more arguments/ })

  const wrongUrl = testManagementUrl().replace('guest:guest@', 'guest:wrong@')
  const locked = await startGateway(t, { RABBITMQ_MANAGEMENT_URL: wrongUrl })
  t.match((await put({ maxAge: '7D' }, locked)).json, { status: 503, code: 'management_unavailable', retryable: true })
})

t.test('a body that is not an object is refused, whatever JSON it is', async (t) => {
  const stream = await gateway.newStream(t)
  const headers = { 'content-type': 'application/json' }
  for (const body of ['null', '[]', '"x"', '1', 'true', 'false']) {
    const { json } = await gateway.request('PUT', `/v1/streams/${stream}`, { body, headers })
    t.match(json, { status: 400, code: 'validation_failed' }, body)
  }
})

t.test('a queue of the same name is reported as not a stream', async (t) => {
  const name = `test-${randomUUID()}`
  const { origin, username, password } = new URL(testManagementUrl())
  const headers = { authorization: `Basic ${btoa(`${username}:${password}`)}` }
  const queue = async (method: string, body: string | null = null): Promise<Response> => {
    return await fetch(`${origin}/api/queues/%2f/${name}`, { method, body, headers })
  }
  t.equal((await queue('PUT', '{"durable":true}')).status, 201)
  t.teardown(async () => { await queue('DELETE') })
  const { json } = await gateway.request('PUT', `/v1/streams/${name}`, { json: { maxAge: '7D' } })
  const detail = 'the name is taken by a queue that is not a stream'
  t.match(json, { status: 409, code: 'stream_arguments_differ', detail })
  t.match((await gateway.request('PUT', `/v1/streams/${name}`)).json, { status: 409, detail }, 'without arguments too')
  const without = await startGateway(t, { RABBITMQ_MANAGEMENT_URL: '' })
  t.match((await without.request('PUT', `/v1/streams/${name}`)).json, { status: 409, detail })
})

t.test('a stream needs no arguments and no body', async (t) => {
  const stream = await gateway.newStream(t)
  t.match(await gateway.request('PUT', `/v1/streams/${stream}`), { status: 200 })
  t.match(await gateway.request('PUT', `/v1/streams/${stream}`, { json: {} }), { status: 200 })
  const headers = { 'content-type': 'application/json' }
  const withoutBody = await gateway.request('PUT', `/v1/streams/${stream}`, { headers })
  t.match(withoutBody, { status: 200 }, 'a content type without a body')
})

t.test('arguments that the broker cannot take are refused by the gateway', async (t) => {
  const put = async (json: object): Promise<Answer> => await gateway.request('PUT', '/v1/streams/never', { json })
  const cases: Array<[object, string]> = [
    [{ maxAge: 'abc' }, '/maxAge'],
    [{ maxAge: '5x' }, '/maxAge'],
    [{ maxAge: '0s' }, '/maxAge'],
    [{ maxAge: 7 }, '/maxAge'],
    [{ maxAge: '7D\n' }, '/maxAge'],
    [{ maxLengthBytes: 0 }, '/maxLengthBytes'],
    [{ maxLengthBytes: '5' }, '/maxLengthBytes'],
    [{ maxLengthBytes: 1.5 }, '/maxLengthBytes'],
    [{ maxLengthBytes: 2 ** 53 }, '/maxLengthBytes'],
    [{ maxSegmentSizeBytes: 3_000_000_001 }, '/maxSegmentSizeBytes'],
    [{ initialClusterSize: 0 }, '/initialClusterSize'],
    [{ leaderLocator: 'random' }, '/leaderLocator'],
    [{ filterSizeBytes: 15 }, '/filterSizeBytes'],
    [{ filterSizeBytes: 256 }, '/filterSizeBytes'],
    [{ maxage: '7D' }, '/maxage'],
    [[], ''],
    [{ 'a/b~c': 1 }, '/a~1b~0c']
  ]
  for (const [args, pointer] of cases) {
    const { json } = await put(args)
    t.match(json, { status: 400, code: 'validation_failed', errors: exactly({ pointer }) }, JSON.stringify(args))
  }
  t.match((await put({ maxAge: '7d' })).json, { errors: exactly({ message: /a number and Y, M, D, h, m or s/ }) })
  t.match((await gateway.get('/v1/streams/never')).json, { status: 404, code: 'stream_not_found' })
})

t.test('of many errors twenty are reported', async (t) => {
  const json = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`x${n}`, n]))
  t.match((await gateway.request('PUT', '/v1/streams/never', { json })).json, { status: 400, errors: { length: 20 } })
})

t.test('names that the broker would change or reserves for itself are refused', async (t) => {
  const badNames = [
    'a%0Ab', 'a%0D', '%00', 'a%C2%85', 'amq.x', 'a'.repeat(201), '%C3%A9'.repeat(101), 'x'.repeat(2000)
  ]
  for (const name of badNames) {
    const { json } = await gateway.request('PUT', `/v1/streams/${name}`)
    t.match(json, { status: 400, code: 'validation_failed' }, name.slice(0, 20))
  }
  for (const name of ['%ff', '%', 'a%2', '%C3']) {
    t.match((await gateway.get(`/v1/streams/${name}`)).json, { status: 400, code: 'bad_request' }, name)
  }
})

t.test('any other name works, percent-encoded', async (t) => {
  const id = randomUUID()
  const names = [
    `a/b?c#d ${id}`, `ä€😀 ${id}`, `100% ${id}`, `..${id}`, `a+b&c=d;${id}`, `<"'>${id}`,
    'x'.repeat(200 - id.length) + id, '€'.repeat(54) + id
  ]
  for (const name of names) {
    const path = `/v1/streams/${encodeURIComponent(name)}`
    t.match(await gateway.request('PUT', path), { status: 201, json: { name } }, name.slice(0, 20))
    const published = await gateway.request('POST', `${path}/messages`, { json: { messages: [{ body: name }] } })
    t.match(published.json, { confirmed: 1 })
    const read = await gateway.get(`${path}/messages`)
    t.match(read.json, { messages: exactly({ body: name }) })
    const link = /^<(.*)>/.exec(String(read.headers.link))?.[1] ?? ''
    t.match((await gateway.get(link)).json, { messages: exactly(), nextOffset: 1 }, 'its link works')
    t.match((await gateway.get(`${path}`)).json, { name })
    t.match(await gateway.request('DELETE', path), { status: 204, text: '' })
  }
})

t.test('a description says where a stream begins and ends', async (t) => {
  const stream = await gateway.newStream(t)
  t.match((await gateway.get(`/v1/streams/${stream}`)).json, {
    name: stream,
    firstOffset: 0,
    nextOffset: 0,
    leader: /:\d+$/,
    sources: { management: 'ok' }
  })
  await gateway.publish(stream, 1, 2, 3)
  t.match((await gateway.get(`/v1/streams/${stream}`)).json, { firstOffset: 0, nextOffset: 3 })
})

t.test('a description repeats what a stream was created with', async (t) => {
  const args = { maxAge: '7D', maxLengthBytes: 5_000_000_000, leaderLocator: 'balanced' }
  const stream = await gateway.newStream(t, args)
  t.match((await gateway.get(`/v1/streams/${stream}`)).json, { arguments: args })
})

t.test('a description says that it is shorter when the management API does not answer', async (t) => {
  const stream = await gateway.newStream(t)
  const wrongUrl = testManagementUrl().replace('guest:guest@', 'guest:wrong@')
  const locked = await startGateway(t, { RABBITMQ_MANAGEMENT_URL: wrongUrl })
  const { json } = await locked.get(`/v1/streams/${stream}`)
  t.match(json, { name: stream, sources: { management: 'failed' } })
  t.notHas(json, { arguments: {} })
  const consumers = await locked.get(`/v1/streams/${stream}/consumers`)
  t.match(consumers.json, { consumers: exactly(), sources: { management: 'failed' } })
  const lines = locked.log.filter(({ msg }) => String(msg).startsWith('the management API could not be asked'))
  t.equal(lines.length, 2, 'the log has a line for each of them')
})

t.test('a deleted stream is gone', async (t) => {
  const stream = await gateway.newStream(t)
  const headers = { 'content-type': 'application/json' }
  t.equal((await gateway.request('DELETE', `/v1/streams/${stream}`, { headers })).status, 204)
  for (const method of ['GET', 'DELETE'] as const) {
    const { json } = await gateway.request(method, `/v1/streams/${stream}`)
    t.match(json, { status: 404, code: 'stream_not_found' })
  }
})

t.test('streams are listed by pages', async (t) => {
  const prefix = `list-${randomUUID()}-`
  for (const name of ['c', 'a', 'b']) {
    await gateway.request('PUT', `/v1/streams/${prefix}${name}`)
    t.teardown(async () => { await gateway.request('DELETE', `/v1/streams/${prefix}${name}`) })
  }
  const first = await gateway.get(`/v1/streams?prefix=${prefix}&limit=2`)
  t.same(first.json, { streams: [`${prefix}a`, `${prefix}b`], nextCursor: `${prefix}b` })
  const last = await gateway.get(`/v1/streams?prefix=${prefix}&limit=2&cursor=${prefix}b`)
  t.same(last.json, { streams: [`${prefix}c`], nextCursor: null })
  for (const query of ['limit=0', 'limit=1001', 'cursor=', 'page=1']) {
    t.match((await gateway.get(`/v1/streams?${query}`)).json, { status: 400 }, query)
  }
})

t.test('without a management API streams cannot be listed, and can be described', async (t) => {
  const gateway = await startGateway(t, { RABBITMQ_MANAGEMENT_URL: '' })
  t.match((await gateway.get('/v1/streams')).json, { status: 501, code: 'management_not_configured' })
  const stream = await gateway.newStream(t)
  const { json } = await gateway.get(`/v1/streams/${stream}`)
  t.match(json, { name: stream, sources: { management: 'not_configured' } })
  t.notHas(json, { arguments: {} })
})

t.test('a pattern maps stream names, and is not visible in the API', async (t) => {
  const prefix = `p${randomUUID()}_`
  const mapped = await startGateway(t, { STREAM_NAME_PATTERN: `${prefix}{name}_x` })
  const stream = await mapped.newStream(t)
  t.match((await mapped.get(`/v1/streams/${stream}`)).json, { name: stream })
  t.same((await mapped.get('/v1/streams')).json, { streams: [stream], nextCursor: null })
  const external = await gateway.get(`/v1/streams/${prefix}${stream}_x`)
  t.match(external.json, { name: `${prefix}${stream}_x` }, 'the broker calls it by the pattern')
})
