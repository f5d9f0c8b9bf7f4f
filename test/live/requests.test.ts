import t from 'tap'
import { exactly } from '../support/exactly.ts'
import { startGateway } from '../support/gateway.ts'
import { LiveClient } from '../support/live-client.ts'
import { openRaw } from '../support/raw-http.ts'
import { until } from '../support/until.ts'

const gateway = await startGateway(t, { LIVE_MAX_CONNECTIONS: '3' })
const liveUrl = (stream: string, query: string): string => `${gateway.url}/v1/streams/${stream}/messages${query}`
const NDJSON = 'application/x-ndjson'

t.test('live reads that waited behind another one give their places back when the client leaves', async (t) => {
  const stream = await gateway.newStream(t)
  const raw = await openRaw(t, gateway.port)
  const request = `GET /v1/streams/${stream}/messages?follow=true HTTP/1.1\r\nHost: a\r\n\r\n`
  raw.send(request.repeat(3))
  await raw.received(/\$state/)
  await until('all places are taken', async () => {
    const { status } = await gateway.request('HEAD', `/v1/streams/${stream}/messages?follow=true`)
    return status === 503
  })
  raw.socket.destroy()
  await until('they are free again', async () => {
    const { status } = await gateway.request('HEAD', `/v1/streams/${stream}/messages?follow=true`)
    return status === 200
  })
  const clients = await Promise.all([1, 2, 3].map(async () => await LiveClient.open(t, liveUrl(stream, ''))))
  t.match(clients.map(({ response }) => response.statusCode), exactly(200, 200, 200))
  for (const client of clients) client.close()
})

t.test('a question mark in a value does not hide the parameters behind it', async (t) => {
  const stream = await gateway.newStream(t)
  const messages = ['who?', 'who?', 'who?'].map((subject, n) => ({ body: n, properties: { subject } }))
  await gateway.request('POST', `/v1/streams/${stream}/messages`, { json: { messages } })
  const client = await LiveClient.open(t, liveUrl(stream, '?match.subject=who?*&limit=2'))
  await client.until('the end', ({ isClosed }) => isClosed)
  t.same(client.offsets, [0, 1])
  t.match(client.named('bye'), exactly({ reason: 'limit', nextOffset: 2 }))
  const refused = await gateway.get(`/v1/streams/${stream}/messages?follow=true&match.subject=who?&wait=1`)
  t.match(refused.json, { status: 400, errors: exactly({ pointer: '/query/wait' }) })
  const { headers: { link } } = await gateway.get(`/v1/streams/${stream}/messages?match.subject=who?*&limit=2`)
  t.equal(link, `</v1/streams/${stream}/messages?match.subject=who%3F*&limit=2&offset=2>; rel="next"`)
})

t.test('a batch that the client likes better than server-sent events is a batch', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 0)
  const typeOf = async (accept: string, query = ''): Promise<unknown> => {
    const { status, headers } = await gateway.get(`/v1/streams/${stream}/messages?limit=1${query}`, { accept })
    return status === 200 ? headers['content-type'] : status
  }
  t.equal(await typeOf(`text/event-stream;q=0.5, ${NDJSON}`), NDJSON)
  t.equal(await typeOf('text/event-stream;q=0.5, application/json'), 'application/json')
  t.equal(await typeOf('text/event-stream;q=0.5, */*'), 'application/json')
  t.equal(await typeOf(`text/event-stream, ${NDJSON}`), 'text/event-stream')
  t.equal(await typeOf('text/event-stream, */*;q=0.9'), 'text/event-stream')
  t.equal(await typeOf(`text/event-stream;q=0.5, ${NDJSON}`, '&follow=true'), NDJSON)
  t.equal(await typeOf('text/event-stream;q=0'), 406)
  t.equal(await typeOf('text/event-stream;q=0.5, application/json', '&heartbeat=5'), 400)
})

t.test('a single active consumer does not go on at an id, and yet refuses what is no id', async (t) => {
  const stream = await gateway.newStream(t)
  const path = `/v1/streams/${stream}/consumers/c/messages?follow=true&singleActive=true&lastEventId=abc`
  t.match((await gateway.get(path)).json, { status: 400, errors: exactly({ pointer: '/query/lastEventId' }) })
})

t.test('errors=event is true of refusals that come before the read, too', async (t) => {
  const gateway = await startGateway(t, { QUOTA_CONCURRENT_REQUESTS: '1' })
  const stream = await gateway.newStream(t)
  const url = (query: string): string => `${gateway.url}/v1/streams/${stream}/messages${query}`
  const first = await LiveClient.open(t, url('?errors=event'))
  await first.until('the opening', ({ events }) => events.length > 0)
  for (const [query, accept] of [['', 'text/event-stream'], ['&follow=true', '*/*']] as const) {
    const second = await LiveClient.open(t, url(`?errors=event${query}`), { accept })
    await second.until('the end', ({ isClosed }) => isClosed)
    t.equal(second.response.statusCode, 200)
    const problems = [...second.named('problem'), ...second.named('$problem')]
    t.match(problems, exactly({ code: 'too_many_requests', status: 429 }))
  }
  for (const query of ['', '?errors=status']) {
    const refused = await LiveClient.open(t, url(query))
    t.equal(refused.response.statusCode, 429)
  }
  first.close()
})
