import t from 'tap'
import { exactly } from '../support/exactly.ts'
import { startGateway } from '../support/gateway.ts'
import { fieldOf, LiveClient } from '../support/live-client.ts'
import { openRaw } from '../support/raw-http.ts'

const gateway = await startGateway(t)
const liveUrl = (stream: string, query = ''): string => `${gateway.url}/v1/streams/${stream}/messages${query}`

t.test('a client that is cut at any byte and resumes with its last id gets every message once, in order', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 'zero', { one: '\u2028' }, 'a\r\nb\rc\nd', '\u{1f600}', 'four')
  const whole = await LiveClient.open(t, liveUrl(stream))
  await whole.until('five messages', ({ messages }) => messages.length === 5)
  const bytes = Buffer.from(whole.text)
  const message = bytes.indexOf('id: 1\n')
  whole.close()
  for (let cut = message; cut < bytes.length; cut++) {
    // What a client that was cut there has understood: whole events only.
    const understood = bytes.subarray(0, cut).toString().split('\n\n').slice(0, -1)
    const ids = understood.flatMap((event) => /^id: (\d+)$/m.exec(event)?.[1] ?? [])
    const had = understood.filter((event) => !event.includes('event: ')).length
    const rest = await LiveClient.open(t, liveUrl(stream, '?limit=100'), { 'last-event-id': String(ids.at(-1)) })
    await rest.until('the end', ({ events }) => events.some(({ data }) => Reflect.get(Object(data), 'endOfStream')))
    if (rest.messages.length < 5 - had) {
      await rest.until('the others', ({ messages }) => messages.length === 5 - had)
    }
    const expected = Array.from({ length: 5 - had }, (_, index) => had + index)
    if (JSON.stringify(rest.offsets) !== JSON.stringify(expected)) t.same(rest.offsets, expected, `cut at ${cut}`)
    rest.close()
  }
  t.pass('every byte was a cut')
})

t.test('a client that was cut while the stream was idle resumes from the id of the opening event', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 'before')
  const idle = await LiveClient.open(t, liveUrl(stream, '?offset=next'))
  await idle.until('the opening event', ({ events }) => events.length === 1)
  idle.close()
  await gateway.publish(stream, 'while away')
  const resumed = await LiveClient.open(t, liveUrl(stream, '?offset=next'), { 'last-event-id': idle.lastId ?? '' })
  await resumed.until('the message', ({ messages }) => messages.length === 1)
  t.match(resumed.messages, exactly({ id: '2', data: { offset: 1, body: 'while away' } }))
})

t.test('the header wins over the query, and the query over the offset', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 0, 1, 2, 3)
  const first = async (query: string, headers?: Record<string, string>): Promise<number | undefined> => {
    const client = await LiveClient.open(t, liveUrl(stream, query), headers)
    await client.until('a message', ({ messages }) => messages.length > 0)
    client.close()
    return client.offsets[0]
  }
  t.equal(await first('?lastEventId=1&offset=0', { 'last-event-id': '3' }), 3)
  t.equal(await first('?lastEventId=1&offset=0'), 1)
  t.equal(await first('?offset=2'), 2)
  t.equal(await first('?offset=2', { 'last-event-id': '' }), 2)
})

t.test('an id that is not ours is refused, and one beyond the end does not hang', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 0)
  for (const id of ['abc', '-1', '1e3', '01', 'urn:uuid:1']) {
    const { status, json } = await gateway.get(`/v1/streams/${stream}/messages`, {
      accept: 'text/event-stream', 'last-event-id': id
    })
    t.equal(status, 400, id)
    t.match(json, { errors: exactly({ pointer: '/headers/last-event-id' }) })
  }
  const { status, json } = await gateway.get(`/v1/streams/${stream}/messages?lastEventId=99`, {
    accept: 'text/event-stream'
  })
  t.equal(status, 416)
  t.match(json, { code: 'offset_out_of_range', firstOffset: 0, lastOffset: 0 })
})

t.test('an id of another stream is an offset like any other: beyond the end it is refused', async (t) => {
  const [short, long] = [await gateway.newStream(t), await gateway.newStream(t)]
  await gateway.publish(short, 'a', 'b')
  await gateway.publish(long, 0, 1, 2, 3)
  const client = await LiveClient.open(t, liveUrl(long))
  await client.until('all', ({ messages }) => messages.length === 4)
  const answer = await gateway.get(`/v1/streams/${short}/messages`, {
    accept: 'text/event-stream', 'last-event-id': client.lastId ?? ''
  })
  t.match(answer, { status: 416, json: { code: 'offset_out_of_range', lastOffset: 1 } })
  const [first] = client.messages
  const other = await LiveClient.open(t, liveUrl(short), { 'last-event-id': first?.id ?? '' })
  await other.until('what comes after it', ({ messages }) => messages.length === 1)
  t.match(other.messages, exactly({ data: { offset: 1, body: 'b' } }))
})

t.test('line breaks of any kind in a body are neither lost nor taken for the end of an event', async (t) => {
  const stream = await gateway.newStream(t)
  const event = 'id: 9\n\nevent: bye\ndata: {}\n\n'
  const bodies = ['\r', '\n', '\r\n', 'a\rb\nc\r\n\r\nd', '\u2028\u2029\u0085', event, { '\r': '\n' }]
  await gateway.publish(stream, ...bodies)
  for (const query of ['', '&follow=true']) {
    const accept = query === '' ? 'text/event-stream' : 'application/x-ndjson'
    const client = await LiveClient.open(t, liveUrl(stream, `?limit=${bodies.length}${query}`), { accept })
    await client.until('the end', ({ isClosed }) => isClosed)
    t.same(client.messages.map(({ data }) => fieldOf(data, 'body')), bodies)
    t.same(client.named('bye'), [{ reason: 'limit', nextOffset: bodies.length }])
    t.notMatch(client.text, /\r/, 'a lone CR would end a line')
  }
})

t.test('limit ends with a bye, at and beside the border of a chunk', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 0, 1, 2)
  await gateway.publish(stream, 3, 4, 5)
  for (const limit of [1, 2, 3, 4, 6]) {
    for (const query of ['', '&follow=true']) {
      const accept = query === '' ? 'text/event-stream' : 'application/x-ndjson'
      const client = await LiveClient.open(t, liveUrl(stream, `?limit=${limit}${query}`), { accept })
      await client.until('the end', ({ isClosed }) => isClosed)
      t.same(client.offsets, Array.from({ length: limit }, (_, index) => index))
      t.same(client.named('bye'), [{ reason: 'limit', nextOffset: limit }])
      t.ok(client.isWhole)
    }
  }
})

t.test('a client of HTTP/1.0 gets the same without the frames of chunks', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 'zero')
  const raw = await openRaw(t, gateway.port)
  raw.send(`GET /v1/streams/${stream}/messages?limit=1 HTTP/1.0\r\nAccept: text/event-stream\r\n\r\n`)
  const [head = '', body = ''] = (await raw.closed()).split(/\r\n\r\n/)
  t.notMatch(head, /transfer-encoding/i)
  t.match(body, /^retry: 2000\nid: 0\nevent: state\ndata: \{[^\n]*\}\n\nid: 1\ndata: \{"offset":0,[^\n]*\}\n\n/)
  t.match(body, /\n\nretry: \d+\nid: 1\nevent: bye\n[^\n]*\n\n$/)
})
