import t from 'tap'
import { startGateway, type Answer, type Gateway, type RequestOptions } from '../support/gateway.ts'
import { list, record } from '../support/schema-values.ts'
import { superStreamOf } from '../support/super-stream-requests.ts'
import { until } from '../support/until.ts'

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736'
const TRACE = { traceparent: `00-${TRACE_ID}-00f067aa0ba902b7-01`, tracestate: 'rojo=00f067aa0ba902b7,congo=t61rc' }
const OTHER = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00'
const NDJSON = 'application/x-ndjson'

const gateway = await startGateway(t)
const traced = await startGateway(t, { TRACE_LINES: 'true' })

async function post (path: string, options: RequestOptions, to: Gateway = gateway): Promise<Answer> {
  return await to.request('POST', `/v1/${path}`, options)
}

/** The application properties of each message of a stream. */
async function properties (stream: string): Promise<unknown[]> {
  const { json } = await gateway.get(`/v1/streams/${stream}/messages?limit=1000`)
  return list(record(json)['messages']).map((message) => record(message)['applicationProperties'])
}

const BATCH = {
  messages: [
    { body: 1 },
    { body: 'two', bodyEncoding: 'text', applicationProperties: { tenant: 'acme' } },
    { body: 3, applicationProperties: { traceparent: OTHER } },
    { body: 4, applicationProperties: { tracestate: 'mine=1' } },
    { body: 5, filterValue: 'emea' },
    { body: [6], bodyType: 'value' }
  ]
}
const STORED = [
  TRACE, { tenant: 'acme', ...TRACE }, { traceparent: OTHER }, { tracestate: 'mine=1' }, TRACE, TRACE
]

t.test('JSON and NDJSON messages get the trace context of their request, unless they have their own', async (t) => {
  const stream = await gateway.newStream(t)
  t.match(await post(`streams/${stream}/messages`, { json: BATCH, headers: TRACE }), { status: 200 })
  t.same(await properties(stream), STORED)

  const lines = BATCH.messages.map((message) => `${JSON.stringify(message)}\n`).join('')
  const headers = { ...TRACE, 'content-type': NDJSON }
  t.match(await post(`streams/${stream}/messages`, { body: lines, headers }), { status: 200 })
  t.same(await properties(stream), [...STORED, ...STORED])
})

t.test('a filter value for all messages and a trace context go together', async (t) => {
  const stream = await gateway.newStream(t)
  const json = { messages: [{ body: 1 }, { body: 2, applicationProperties: { a: 1 } }] }
  await post(`streams/${stream}/messages?filterValue=emea`, { json, headers: TRACE })
  await post(`streams/${stream}/messages/lines?filterValue=emea`, { body: 'three', headers: TRACE }, traced)
  const { json: answer } = await gateway.get(`/v1/streams/${stream}/messages?filterValue=emea`)
  const messages = list(record(answer)['messages']).map(record)
  t.same(messages.map(({ applicationProperties }) => applicationProperties), [TRACE, { a: 1, ...TRACE }, TRACE])
  for (const { messageAnnotations } of messages) t.same(messageAnnotations, { 'x-stream-filter-value': 'emea' })
})

t.test('a raw body gets the trace context, and a raw read gives it back as app-property headers', async (t) => {
  const stream = await gateway.newStream(t)
  const text = { 'content-type': 'text/plain' }
  await post(`streams/${stream}/messages/raw`, { body: 'one', headers: { ...text, ...TRACE } })
  await post(`streams/${stream}/messages/raw`, {
    body: 'two', headers: { ...text, ...TRACE, 'app-property-traceparent': OTHER }
  })
  await post(`streams/${stream}/messages/raw?keep=traceparent`, { body: 'three', headers: { ...text, ...TRACE } })
  await post(`streams/${stream}/messages/raw`, { body: 'four', headers: text })
  const { traceparent, tracestate } = TRACE
  t.same(await properties(stream), [TRACE, { traceparent: OTHER }, { traceparent }, undefined])

  const raw = async (offset: number) => (await gateway.get(`/v1/streams/${stream}/messages/${offset}/raw`)).headers
  t.match(await raw(0), { 'app-property-traceparent': traceparent, 'app-property-tracestate': tracestate })
  t.match(await raw(1), { 'app-property-traceparent': OTHER })
  t.notOk(Object.hasOwn(await raw(1), 'app-property-tracestate'))
  t.notOk(Object.hasOwn(await raw(3), 'app-property-traceparent'))
})

t.test('what a message calls its traceparent is shown by a raw read only where it is one', async (t) => {
  const stream = await gateway.newStream(t)
  const values = ['not one', 5, `${TRACE.traceparent}\r\nset-cookie: x`, { $type: 'symbol', value: TRACE.traceparent }]
  const messages = values.map((traceparent) => ({ body: 1, applicationProperties: { traceparent } }))
  t.match(await post(`streams/${stream}/messages`, { json: { messages }, headers: TRACE }), { status: 200 })
  t.same(await properties(stream), values.map((traceparent) => ({ traceparent })), 'each is its own, as it was sent')
  for (const offset of values.keys()) {
    const { status, headers } = await gateway.get(`/v1/streams/${stream}/messages/${offset}/raw`)
    t.equal(status, 200)
    t.notOk(Object.hasOwn(headers, 'app-property-traceparent'), JSON.stringify(values[offset]))
  }
})

t.test('lines get it only with TRACE_LINES=true', async (t) => {
  const stream = await gateway.newStream(t)
  await post(`streams/${stream}/messages/lines`, { body: 'a\nb\n', headers: TRACE })
  await post(`streams/${stream}/messages/lines`, { body: 'c\nd\n', headers: TRACE }, traced)
  const headers = { ...TRACE, 'content-type': NDJSON }
  await post(`streams/${stream}/messages/lines`, { body: '{"e":1}\n\n{"f":1}\n', headers }, traced)
  await post(`streams/${stream}/messages/lines`, { body: 'g', headers: {} }, traced)
  t.same(await properties(stream), [undefined, undefined, TRACE, TRACE, TRACE, TRACE, undefined])
  const { json } = await gateway.get(`/v1/streams/${stream}/messages?offset=2`)
  const bodies = list(record(json)['messages']).map((message) => record(message)['body'])
  t.same(bodies, ['c', 'd', { e: 1 }, { f: 1 }, 'g'])
})

t.test('a stored tracestate that no header can have is left out of answers', async (t) => {
  const stream = await gateway.newStream(t)
  const { traceparent } = TRACE
  const messages = [{ body: 1, applicationProperties: { traceparent, tracestate: 'a=1,\r\nb=2' } }]
  await gateway.request('POST', `/v1/streams/${stream}/messages`, { json: { messages } })
  const { status, headers } = await gateway.get(`/v1/streams/${stream}/messages/0/raw`)
  t.match({ status, headers }, { status: 200, headers: { 'app-property-traceparent': traceparent } })
  t.notOk(Object.hasOwn(headers, 'app-property-tracestate'))
})

t.test('a traceparent that is malformed is ignored, and so is a tracestate', async (t) => {
  const stream = await gateway.newStream(t)
  const { traceparent, tracestate } = TRACE
  const ignored: Array<Record<string, string>> = [
    { traceparent: 'nonsense' }, { traceparent: '' }, { tracestate }, { traceparent: `${traceparent}, ${traceparent}` },
    { traceparent: `ff${traceparent.slice(2)}`, tracestate }
  ]
  for (const headers of ignored) {
    t.match((await post(`streams/${stream}/messages`, { json: { messages: [{ body: 1 }] }, headers })).status, 200)
  }
  t.same(await properties(stream), ignored.map(() => undefined))
  const next = await post(`streams/${stream}/messages`, {
    json: { messages: [{ body: 1 }] }, headers: { traceparent, tracestate: 'no,state' }
  })
  t.equal(next.status, 200)
  t.same((await properties(stream)).at(-1), { traceparent })
})

t.test('messages that are compressed have it too', async (t) => {
  const stream = await gateway.newStream(t)
  const headers = { ...TRACE, 'content-type': NDJSON }
  await post(`streams/${stream}/messages?compression=gzip`, { body: '{"body":1}\n{"body":2}\n', headers })
  t.same(await properties(stream), [TRACE, TRACE])
})

t.test('messages to a super stream have it, whichever partition they go to', async (t) => {
  const name = await superStreamOf(t, '0', '1')
  const messages = Array.from({ length: 8 }, (_, index) => ({ body: index, routingKey: `k${index}` }))
  const path = `super-streams/${name}/messages`
  t.match(await post(path, { json: { messages }, headers: TRACE }), { status: 200 })
  const raw = { body: 'raw', headers: { ...TRACE, 'content-type': 'text/plain', 'routing-key': 'k0' } }
  t.match(await post(`${path}/raw`, raw), { status: 200 })
  t.match(await post(`${path}/lines?routingKey=k1`, { body: 'line', headers: TRACE }, traced), { status: 200 })
  const all = [...await properties(`${name}-0`), ...await properties(`${name}-1`)]
  t.same(all, Array.from({ length: 10 }, () => TRACE))
})

t.test('the lines of the log about a request of a trace have its id', async (t) => {
  const stream = await gateway.newStream(t)
  const path = `/v1/streams/${stream}/messages`
  await gateway.request('GET', path, { headers: { ...TRACE, 'x-request-id': `${stream}-traced` } })
  await gateway.request('GET', path, { headers: { 'x-request-id': `${stream}-other` } })
  await gateway.request('GET', path, { headers: { traceparent: 'nonsense', 'x-request-id': `${stream}-nonsense` } })
  const lineOf = (id: string) => gateway.log.find(({ reqId, msg }) => reqId === id && msg === 'request')
  await until('the line of the last request', () => lineOf(`${stream}-nonsense`) !== undefined)
  t.match(lineOf(`${stream}-traced`), { traceId: TRACE_ID })
  for (const id of ['other', 'nonsense']) t.notOk(Object.hasOwn(lineOf(`${stream}-${id}`) ?? {}, 'traceId'), id)
})
