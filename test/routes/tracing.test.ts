import t, { type Test } from 'tap'
import { startCollector, type CollectedSpan } from '../support/collector.ts'
import { exactly } from '../support/exactly.ts'
import { startGateway } from '../support/gateway.ts'
import { startPushGateway } from '../support/push-gateway.ts'
import { startReceiver } from '../support/push-receiver.ts'
import { list, record } from '../support/schema-values.ts'
import { until } from '../support/until.ts'

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736'
const CALLER = { traceId: TRACE_ID, spanId: '00f067aa0ba902b7' }
const TRACE = { traceparent: `00-${TRACE_ID}-${CALLER.spanId}-01`, tracestate: 'rojo=00f067aa0ba902b7' }

const collector = await startCollector(t)
const gateway = await startPushGateway(t, { TRACING: 'otlp' })

const of = (stream: string, name: string) => ({ attributes }: CollectedSpan): boolean =>
  attributes['messaging.destination.name'] === stream && attributes['messaging.operation.name'] === name

const serverOf = (path: string, method = 'GET') => ({ kind, attributes }: CollectedSpan): boolean =>
  kind === 'server' && attributes['url.path'] === path && attributes['http.request.method'] === method

/** A stream with a subscription, and its path. */
async function subscribed (t: Test, json: Record<string, unknown>, given?: string): Promise<[string, string]> {
  const stream = given ?? await gateway.newStream(t)
  const path = `/v1/streams/${stream}`
  t.match(await gateway.request('PUT', `${path}/subscriptions/hook`, { json }), { status: 201 })
  t.teardown(async () => { await gateway.request('DELETE', `${path}/subscriptions/hook`) })
  return [stream, path]
}

t.test('a trace goes from an HTTP publish through its messages to the read that gets them', async (t) => {
  const stream = await gateway.newStream(t)
  const path = `/v1/streams/${stream}/messages`
  const json = { messages: [{ body: 1 }, { body: 2 }] }
  t.match(await gateway.request('POST', path, { json, headers: TRACE }), { status: 200 })
  const server = await collector.span('the request', serverOf(path, 'POST'))
  const send = await collector.span('the publish', of(stream, 'send'))
  t.match(server, { name: 'POST /v1/streams/:stream/messages', traceId: TRACE_ID, parentSpanId: CALLER.spanId })
  t.match(server.attributes, {
    'http.route': '/v1/streams/:stream/messages', 'url.scheme': 'http', 'http.response.status_code': 200
  })
  t.match(server.resource, { 'service.name': 'rabbitmq-stream-gateway', 'service.version': /^\d/, team: 'shop' })
  t.match(send, { name: `send ${stream}`, kind: 'producer', traceId: TRACE_ID, parentSpanId: server.spanId })
  t.same(send.attributes, {
    'messaging.system': 'rabbitmq',
    'messaging.destination.name': stream,
    'messaging.operation.name': 'send',
    'messaging.operation.type': 'send',
    'messaging.batch.message_count': 2,
    'rabbitmq.vhost': '/'
  })

  const traceparent = `00-${TRACE_ID}-${send.spanId}-01`
  const read = await gateway.get(path)
  for (const message of list(record(read.json)['messages'])) {
    t.same(record(message)['applicationProperties'], { traceparent, tracestate: TRACE.tracestate })
  }
  const receive = await collector.span('the read', of(stream, 'receive'))
  const reader = await collector.span('the request of the read', serverOf(path))
  t.match(receive, { name: `receive ${stream}`, kind: 'client', parentSpanId: reader.spanId })
  t.not(receive.traceId, TRACE_ID, 'a read begins a trace of its own')
  const link = { traceId: TRACE_ID, spanId: send.spanId }
  t.match(receive.links, exactly(link, link))
  t.match(receive.attributes, { 'messaging.batch.message_count': 2, 'messaging.operation.type': 'receive' })
})

t.test('a request without a context gets one, and the log says which', async (t) => {
  const stream = await gateway.newStream(t)
  const headers = { 'content-type': 'text/plain', 'x-request-id': `${stream}-raw` }
  await gateway.request('POST', `/v1/streams/${stream}/messages/raw`, { body: 'x', headers })
  const send = await collector.span('the publish', of(stream, 'send'))
  t.notOk(Object.hasOwn(send.attributes, 'messaging.batch.message_count'), 'one message is no batch')
  const raw = await gateway.get(`/v1/streams/${stream}/messages/0/raw`)
  t.equal(raw.headers['app-property-traceparent'], `00-${send.traceId}-${send.spanId}-01`)
  const receive = await collector.span('the read', of(stream, 'receive'))
  t.match(receive.links, exactly({ traceId: send.traceId, spanId: send.spanId }))
  const line = await until('the line of the log', () => gateway.log.find(({ reqId }) => reqId === `${stream}-raw`))
  t.equal(line['traceId'], send.traceId)
})

t.test('a message keeps the context of its own, and a read links to the first 32 messages', async (t) => {
  const stream = await gateway.newStream(t)
  const spanId = (index: number) => (index + 1).toString(16).padStart(16, '0')
  const messages = Array.from({ length: 40 }, (_, index) =>
    ({ body: index, applicationProperties: { traceparent: `00-${TRACE_ID}-${spanId(index)}-01` } }))
  await gateway.request('POST', `/v1/streams/${stream}/messages`, { json: { messages } })
  await gateway.get(`/v1/streams/${stream}/events`)
  const receive = await collector.span('the read', of(stream, 'receive'))
  t.same(receive.links, Array.from({ length: 32 }, (_, index) => ({ traceId: TRACE_ID, spanId: spanId(index) })))
  t.match(receive.attributes, { 'messaging.batch.message_count': 40 })
})

t.test('what a consumer reads and commits names the consumer', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 1, 2)
  await gateway.get(`/v1/streams/${stream}/consumers/my-app/messages`)
  await gateway.request('PUT', `/v1/streams/${stream}/consumers/my-app/offset`, { json: { offset: 1 } })
  const consumer = { 'messaging.consumer.group.name': 'my-app' }
  t.match((await collector.span('the read', of(stream, 'receive'))).attributes, consumer)
  t.match(await collector.span('the commit', of(stream, 'settle')), {
    kind: 'client', attributes: consumer, isError: false
  })
})

t.test('a failure has the code of its problem, and only a fault of the server is an error of its span', async (t) => {
  const missing = `missing-${Date.now()}`
  const path = `/v1/streams/${missing}/messages`
  await gateway.request('POST', path, { json: { messages: [{ body: 1 }] } })
  await gateway.get(path)
  const failed = { isError: true, attributes: { 'error.type': 'stream_not_found' } }
  t.match(await collector.span('the publish', of(missing, 'send')), failed)
  t.match(await collector.span('the read', of(missing, 'receive')), failed)
  t.match(await collector.span('the request', serverOf(path, 'POST')), {
    isError: false, attributes: { 'error.type': 'stream_not_found', 'http.response.status_code': 404 }
  })
})

t.test('spans have no bodies, no header values and no query; requests that watch the gateway have none', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.get('/health/live')
  await gateway.get('/health/ready')
  await gateway.get('/metrics')
  const headers = { 'x-secret': 'hidden-header', 'app-property-a': 'hidden-property', 'content-type': 'text/plain' }
  const path = `/v1/streams/${stream}/messages/raw`
  await gateway.request('POST', `${path}?filterValue=hidden-query`, { body: 'hidden-body', headers })
  await collector.span('the request', serverOf(path, 'POST'))
  t.notMatch(JSON.stringify(collector.spans), /hidden-/)
  t.notOk(collector.spans.some(({ attributes }) => /^\/(health|metrics)/.test(String(attributes['url.path']))))
})

t.test('a delivery is a span of its own, linked to its messages, whose receiver continues it', async (t) => {
  const receiver = await startReceiver(t)
  receiver.react(({ attempt }) => attempt === 1 ? 500 : 204)
  const [stream, path] = await subscribed(t, { url: receiver.url, start: 'first', retry: { initialDelayMs: 100 } })
  await gateway.request('POST', `${path}/messages`, { json: { messages: [{ body: 1 }] }, headers: TRACE })
  await receiver.received(2)
  const send = await collector.span('the publish', of(stream, 'send'))
  const [failed, delivered] = await until('two deliveries', () => {
    const spans = collector.spans.filter(of(stream, 'deliver'))
    return spans.length === 2 && spans
  })
  t.match(failed, { isError: true, attributes: { 'error.type': '500' } })
  t.match(delivered, { name: `deliver ${stream}`, kind: 'client', isError: false, parentSpanId: '' })
  t.same(delivered?.attributes, {
    'messaging.system': 'rabbitmq',
    'messaging.destination.name': stream,
    'messaging.operation.name': 'deliver',
    'messaging.operation.type': 'process',
    'messaging.consumer.group.name': 'push.hook',
    'rabbitmq.vhost': '/'
  })
  t.not(delivered?.traceId, TRACE_ID, 'a delivery begins a trace of its own')
  for (const [index, span] of [failed, delivered].entries()) {
    t.match(span?.links, exactly({ traceId: TRACE_ID, spanId: send.spanId }))
    const { headers } = receiver.deliveries[index] ?? {}
    t.equal(headers?.traceparent, `00-${span?.traceId}-${span?.spanId}-01`)
    t.notOk(headers?.tracestate, 'that of the message belongs to another trace')
  }
  await gateway.get(`${path}/messages`)
  t.match((await collector.span('a read of the same', of(stream, 'receive'))).links, exactly({ spanId: send.spanId }))
})

t.test('the delivery of a batch is linked to the first 32 of its messages', async (t) => {
  const receiver = await startReceiver(t)
  const stream = await gateway.newStream(t)
  const spanId = (index: number) => (index + 1).toString(16).padStart(16, '0')
  const messages = Array.from({ length: 40 }, (_, index) =>
    ({ body: index, applicationProperties: { traceparent: `00-${TRACE_ID}-${spanId(index)}-01` } }))
  await gateway.request('POST', `/v1/streams/${stream}/messages`, { json: { messages } })
  await subscribed(t, { url: receiver.url, start: 'first', batch: { maxMessages: 40, maxWaitMs: 5000 } }, stream)
  await receiver.received(1)
  const span = await collector.span('the delivery', of(stream, 'deliver'))
  t.same(span.links, Array.from({ length: 32 }, (_, index) => ({ traceId: TRACE_ID, spanId: spanId(index) })))
  t.match(span.attributes, { 'messaging.batch.message_count': 40 })
})

t.test('a collector that refuses spans holds up no request, and the log says so once', async (t) => {
  const stream = await gateway.newStream(t)
  collector.status = 400
  const before = collector.requests
  for (let index = 0; index < 3; index++) {
    t.match(await gateway.publish(stream, index), { status: 200 })
    const wanted = before + index + 1
    await until('a request to the collector', () => collector.requests >= wanted)
  }
  const warnings = () => gateway.log.filter(({ msg }) => msg === 'spans are lost: the collector does not take them')
  await until('a warning', () => warnings().length > 0)
  collector.status = 200
  await gateway.publish(stream, 'last')
  await until('spans are taken again', () =>
    gateway.log.some(({ msg, lost }) => msg === 'the collector takes spans again' && Number(lost) > 0))
  t.equal(warnings().length, 1)
})

t.test('without TRACING nothing is made and no context is invented', async (t) => {
  const off = await startGateway(t)
  const stream = await off.newStream(t)
  await off.publish(stream, 1)
  const { json } = await off.get(`/v1/streams/${stream}/messages`)
  t.notOk(Object.hasOwn(record(list(record(json)['messages'])[0]), 'applicationProperties'))
  t.equal(off.app.deliverySpans, undefined)
  t.notOk(collector.spans.some(of(stream, 'send')))
})
