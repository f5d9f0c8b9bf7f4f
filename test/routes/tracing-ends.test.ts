import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import t from 'tap'
import { startCollector, type CollectedSpan } from '../support/collector.ts'
import { exactly } from '../support/exactly.ts'
import { startGateway, type Gateway } from '../support/gateway.ts'
import { LiveClient } from '../support/live-client.ts'
import { record } from '../support/schema-values.ts'
import { until } from '../support/until.ts'

// Whose spans they are, and how they end.
const collector = await startCollector(t)
const gateway = await startGateway(t, { TRACING: 'otlp' })

const of = (stream: string, name: string) => ({ attributes }: CollectedSpan): boolean =>
  attributes['messaging.destination.name'] === stream && attributes['messaging.operation.name'] === name

const serverOf = (path: string, method = 'GET') => ({ kind, attributes }: CollectedSpan): boolean =>
  kind === 'server' && attributes['url.path'] === path && attributes['http.request.method'] === method

t.test('each process has an id of its own, unless the variables of OpenTelemetry name one', async (t) => {
  const idOf = async (from: Gateway): Promise<unknown> => {
    const stream = await from.newStream(t)
    await from.publish(stream, 1)
    return (await collector.span('the publish', of(stream, 'send'))).resource['service.instance.id']
  }
  const [first, again] = [await idOf(gateway), await idOf(gateway)]
  t.match(first, /^[0-9a-f]{8}-[0-9a-f-]{27}$/)
  t.equal(again, first)
  t.not(await idOf(await startGateway(t, { TRACING: 'otlp' })), first)
  const before = process.env['OTEL_RESOURCE_ATTRIBUTES']
  process.env['OTEL_RESOURCE_ATTRIBUTES'] = 'service.instance.id=pod-7'
  t.teardown(() => { process.env['OTEL_RESOURCE_ATTRIBUTES'] = before })
  t.equal(await idOf(await startGateway(t, { TRACING: 'otlp' })), 'pod-7')
})

t.test('the span of a live read ends when its answer begins, whatever the client does later', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 1)
  const live = await LiveClient.open(t, `${gateway.url}/v1/streams/${stream}/messages?offset=first`)
  const isServer = serverOf(`/v1/streams/${stream}/messages`)
  const span = await collector.span('the live read', isServer)
  t.match(span, { isError: false, attributes: { 'http.response.status_code': 200 } })
  live.close()
  await gateway.publish(stream, 2)
  await until('a later span', () => collector.spans.filter(of(stream, 'send')).length === 2)
  t.match(collector.spans.filter(isServer), exactly({}))
  t.notOk(Object.hasOwn(span.attributes, 'error.type'))
})

t.test('a client that leaves in the middle is in the spans of its request', async (t) => {
  const stream = await gateway.newStream(t)
  const path = `/v1/streams/${stream}/messages`
  const poll = new AbortController()
  const arrived = once(gateway.app.server, 'request')
  const waiting = fetch(`${gateway.url}${path}?offset=next&wait=20`, { signal: poll.signal }).catch(() => undefined)
  await arrived
  poll.abort()
  await waiting
  t.match(await collector.span('the poll', serverOf(path)), {
    isError: false, attributes: { 'error.type': 'client_gone' }
  })

  const publishHalf = async (end: (socket: Socket) => void) => {
    const other = await gateway.newStream(t)
    const path = `/v1/streams/${other}/messages`
    const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1')
    socket.on('error', () => {})
    socket.write(`POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/x-ndjson\r\n` +
      'content-length: 1000\r\n\r\n{"body":1}\n')
    await until('its message', async () => (await gateway.get(`${path}?offset=first`)).text.includes('"body":1'))
    end(socket)
    return await Promise.all([
      collector.span('the publish', of(other, 'send')), collector.span('its request', serverOf(path, 'POST'))
    ])
  }
  for (const span of await publishHalf((socket) => { socket.resetAndDestroy() })) {
    t.match(span, { isError: false, attributes: { 'error.type': 'client_gone' } })
  }
  // It may still read the answer.
  for (const span of await publishHalf((socket) => { socket.end() })) {
    t.match(span, { isError: false, attributes: { 'error.type': '400' } })
  }
})

t.test('a publish that fails has the number of messages only where something became of them', async (t) => {
  const missing = `missing-${Date.now()}`
  await gateway.request('POST', `/v1/streams/${missing}/messages`, { json: { messages: [{ body: 1 }, { body: 2 }] } })
  const none = await collector.span('the publish', of(missing, 'send'))
  t.notOk(Object.hasOwn(none.attributes, 'messaging.batch.message_count'))

  const stream = await gateway.newStream(t)
  const headers = { 'content-type': 'application/x-ndjson' }
  const body = `${'{"body":1}\n'.repeat(20_000)}nonsense\n`
  const { json } = await gateway.request('POST', `/v1/streams/${stream}/messages`, { body, headers })
  const { confirmed } = record(record(json)['published'])
  const some = await collector.span('the publish', of(stream, 'send'))
  t.equal(some.attributes['messaging.batch.message_count'], confirmed)
  t.ok(Number(confirmed) > 0)
})
