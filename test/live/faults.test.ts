import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { exactly } from '../support/exactly.ts'
import { startGateway, type Gateway } from '../support/gateway.ts'
import { untilNothingIsLeft, QUICKLY_IDLE } from '../support/leftovers.ts'
import { fieldOf, LiveClient } from '../support/live-client.ts'
import { until } from '../support/until.ts'

const gateway = await startGateway(t, {
  ...QUICKLY_IDLE, READER_WINDOW_BYTES: '262144', LIVE_SEND_TIMEOUT_MS: '3000', LIVE_MAX_CONNECTIONS: '150'
})
const liveUrl = (stream: string, query = ''): string => `${gateway.url}/v1/streams/${stream}/messages${query}`
const LARGE = 'x'.repeat(1000)

async function publishLines (to: Gateway, stream: string, from: number, count: number): Promise<void> {
  const body = Array.from({ length: count }, (_, index) => `${from + index} ${LARGE}\n`).join('')
  const { status } = await to.request('POST', `/v1/streams/${stream}/messages/lines`, { body })
  if (status !== 200) throw new Error(`publishing answered ${status}`)
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

t.test('readers that crawl get everything once and in order, and the others do not wait for them', async (t) => {
  const patient = await startGateway(t, { READER_WINDOW_BYTES: '262144' })
  const stream = await patient.newStream(t)
  const url = `${patient.url}/v1/streams/${stream}/messages`
  const fast = await Promise.all(upTo(8).map(async () => await LiveClient.open(t, url)))
  const slow = await Promise.all(upTo(4).map(async () => await LiveClient.open(t, url)))
  for (const { response } of slow) response.pause()
  const count = 9000
  for (let from = 0; from < count; from += 1000) await publishLines(patient, stream, from, 1000)
  for (const client of fast) {
    await client.until('everything', ({ messages }) => messages.length === count)
    t.same(client.offsets, upTo(count))
  }
  const [crawling] = slow
  t.ok((crawling?.messages.length ?? 0) < count, 'the slow ones are far behind')
  for (const client of slow) client.response.resume()
  for (const client of slow) {
    await client.until('everything', ({ messages }) => messages.length === count)
    t.same(client.offsets, upTo(count))
    t.same(client.named('gap'), [])
  }
  t.match((await patient.get('/metrics')).text, /live_cold_readers_total [1-9]/)
})

t.test('a client that takes nothing for LIVE_SEND_TIMEOUT_MS is cut off, and leaves nothing behind', async (t) => {
  const stream = await gateway.newStream(t)
  const socket = connect(gateway.port, '127.0.0.1')
  t.teardown(() => { socket.destroy() })
  socket.on('error', () => {})
  socket.write(`GET /v1/streams/${stream}/messages HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n`)
  await once(socket, 'readable')
  for (let from = 0; from < 12_000; from += 1000) await publishLines(gateway, stream, from, 1000)
  await until('the log says so', () =>
    gateway.log.find(({ msg, reason }) => msg === 'live answer ended' && reason === 'not drained'))
})

t.test('what retention has removed before a slow reader is a gap', async (t) => {
  const stream = await gateway.newStream(t, { maxLengthBytes: 1_000_000, maxSegmentSizeBytes: 500_000 })
  const client = await LiveClient.open(t, liveUrl(stream))
  client.response.pause()
  for (let from = 0; from < 20_000; from += 1000) await publishLines(gateway, stream, from, 1000)
  await publishLines(gateway, stream, 20_000, 1)
  client.response.resume()
  await client.until('the end', ({ offsets, isClosed }) => offsets.at(-1) === 20_000 || isClosed)
  const { events } = client
  let next = 0
  for (const { name, data } of events) {
    if (name === 'gap') {
      t.equal(fieldOf(data, 'from'), next)
      next = Number(fieldOf(data, 'to')) + 1
    } else if (name === undefined) {
      if (fieldOf(data, 'offset') !== next) t.equal(fieldOf(data, 'offset'), next)
      next++
    }
  }
  t.equal(next, 20_001)
  t.not(client.named('gap').length, 0)
})

t.test('a stream that is deleted, and one that is created anew, end with a problem', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 0, 1)
  const client = await LiveClient.open(t, liveUrl(stream, '?offset=next'))
  await client.until('the opening', ({ events }) => events.length === 1)
  await gateway.request('DELETE', `/v1/streams/${stream}`)
  await gateway.request('PUT', `/v1/streams/${stream}`)
  await client.until('the end', ({ isClosed }) => isClosed)
  t.match(client.named('problem'), exactly({ code: 'stream_not_found', status: 404 }))
  t.ok(client.isWhole)
  const again = await LiveClient.open(t, liveUrl(stream), { 'last-event-id': client.lastId ?? '' })
  t.equal(again.response.statusCode, 416)
})

t.test('over LIVE_MAX_CONNECTIONS it is 503 with Retry-After, or a problem event where that is wanted', async (t) => {
  const stream = await gateway.newStream(t)
  await until('the others have left', async () => {
    const { text } = await gateway.get('/metrics')
    return /live_connections\{format="sse"\} 0/.test(text)
  })
  const clients = await Promise.all(upTo(150).map(async () => await LiveClient.open(t, liveUrl(stream))))
  const refused = await gateway.get(`/v1/streams/${stream}/messages`, { accept: 'text/event-stream' })
  t.equal(refused.status, 503)
  t.ok(refused.headers['retry-after'])
  t.match(refused.json, { code: 'overloaded', limit: 150 })
  const event = await LiveClient.open(t, liveUrl(stream, '?errors=event'))
  await event.until('the end', ({ isClosed }) => isClosed)
  t.equal(event.response.statusCode, 200)
  t.match(event.named('problem'), exactly({ code: 'overloaded' }))
  t.ok(event.retries[0])
  for (const client of clients) client.close()
})

t.test('connects and aborts by the hundred leave nothing behind', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 0)
  for (let round = 0; round < 20; round++) {
    await Promise.all(upTo(50).map(async (index) => {
      const socket = connect(gateway.port, '127.0.0.1')
      socket.on('error', () => {})
      socket.write(`GET /v1/streams/${stream}/messages HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n`)
      // At once, with the opening event, and some time later.
      if (index % 3 > 0) await once(socket, 'data')
      if (index % 3 > 1) await delay(50)
      socket.destroy()
    }))
  }
  await untilNothingIsLeft(gateway)
  const { text } = await gateway.get('/metrics')
  t.match(text, /live_connections\{format="sse"\} 0/)
})

t.test('a heartbeat says where the stream is, and control=false says only that the connection lives', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 0)
  const client = await LiveClient.open(t, liveUrl(stream, '?heartbeat=5&offset=first'))
  const quiet = await LiveClient.open(t, liveUrl(stream, '?heartbeat=5&follow=true&control=false'), { accept: '*/*' })
  await client.until('a heartbeat', ({ named }) => named.call(client, 'state').length === 3, 8000)
  t.same(client.named('state')[2], { nextOffset: 1, lastOffset: 0, lag: 0, endOfStream: true })
  await quiet.until('an empty line', ({ text }) => text.endsWith('}\n\n\n'), 8000)
  t.same(quiet.events.length, 1)
})

t.test('HEAD answers the head alone', async (t) => {
  const stream = await gateway.newStream(t)
  const { status, headers, bytes } = await gateway.request('HEAD', `/v1/streams/${stream}/messages`, {
    headers: { accept: 'text/event-stream' }
  })
  t.equal(status, 200)
  t.match(headers, { 'content-type': 'text/event-stream', 'stream-next-offset': '0', 'x-accel-buffering': 'no' })
  t.equal(headers['content-length'], undefined)
  t.equal(bytes.length, 0)
})
