import t from 'tap'
import { startGateway } from '../support/gateway.ts'
import { exactly } from '../support/exactly.ts'

const gateway = await startGateway(t)

/** What a request with one fault is answered. */
const badAt = (pointer: string): object => ({ status: 400, code: 'validation_failed', errors: exactly({ pointer }) })

async function publishLines (stream: string, text: string): Promise<void> {
  const { status } = await gateway.request('POST', `/v1/streams/${stream}/messages/lines`, { body: text })
  if (status !== 200) throw new Error(`publishing answered ${status}`)
}

t.test('an empty stream answers an empty batch, from everywhere', async (t) => {
  const stream = await gateway.newStream(t)
  const queries = [
    '', '?offset=first', '?offset=last', '?offset=next', '?offset=0', '?timestamp=2026-01-01T00:00:00Z'
  ]
  for (const query of queries) {
    const { json } = await gateway.get(`/v1/streams/${stream}/messages${query}`)
    t.same(json, { messages: [], nextOffset: 0, endOfStream: true }, query)
  }
})

t.test('a client that follows the link reads everything once', async (t) => {
  const stream = await gateway.newStream(t)
  await publishLines(stream, Array.from({ length: 250 }, (_, n) => `${n}\n`).join(''))
  const seen: string[] = []
  let path = `/v1/streams/${stream}/messages/lines?limit=60`
  for (let page = 0; page < 10; page++) {
    const { text, headers } = await gateway.get(path)
    seen.push(...text.split('\n').slice(0, -1))
    path = /^<(.*)>; rel="next"$/.exec(String(headers.link))?.[1] ?? ''
    t.match(path, `limit=60&offset=${seen.length}`)
    t.equal(headers['stream-next-offset'], String(seen.length))
    t.equal(headers['stream-end-of-stream'], String(seen.length === 250))
    if (headers['stream-end-of-stream'] === 'true') break
  }
  t.same(seen, Array.from({ length: 250 }, (_, n) => String(n)))
})

t.test('the link of a read from a time continues by offset', async (t) => {
  const stream = await gateway.newStream(t)
  await publishLines(stream, 'a\nb\n')
  const query = 'timestamp=2026-01-01T00:00:00.000Z&limit=1&body=text'
  const { headers } = await gateway.get(`/v1/streams/${stream}/messages?${query}`)
  t.equal(headers.link, `</v1/streams/${stream}/messages?limit=1&body=text&offset=1>; rel="next"`)
})

t.test('a read can begin anywhere', async (t) => {
  const stream = await gateway.newStream(t)
  await publishLines(stream, 'a\nb\nc\n')
  const offsets = async (query: string) => (await gateway.get(`/v1/streams/${stream}/messages${query}`)).json
  t.match(await offsets('?offset=1'), {
    messages: exactly({ offset: 1, body: 'b' }, { offset: 2, body: 'c' }),
    nextOffset: 3,
    endOfStream: true
  })
  t.match(await offsets('?offset=last'), { messages: exactly({ offset: 2 }), nextOffset: 3 })
  t.match(await offsets('?offset=next'), { messages: exactly(), nextOffset: 3, endOfStream: true })
  t.match(await offsets('?offset=3'), { messages: exactly(), nextOffset: 3, endOfStream: true })
  t.match(await offsets('?limit=1'), { messages: exactly({ offset: 0 }), nextOffset: 1, endOfStream: false })
  t.match(await offsets('?maxBytes=1'), { messages: { length: 1 }, nextOffset: 1 }, 'one message at least')
  t.match(await offsets('?offset=4'), { status: 416, code: 'offset_out_of_range', firstOffset: 0, lastOffset: 2 })
})

t.test('numbers in a query are plain decimal integers', async (t) => {
  const path = '/v1/streams/any/messages'
  for (const bad of ['1e3', '1.0', '+5', '%205', '0x10', '', '-1', '05', '10001', '0', 'ten']) {
    t.match((await gateway.get(`${path}?limit=${bad}`)).json, badAt('/query/limit'), bad)
  }
  for (const bad of ['1e3', '1.0', '+5', '', '-1', '05', 'middle', '9007199254740992']) {
    t.match((await gateway.get(`${path}?offset=${bad}`)).json, badAt('/query/offset'), bad)
  }
  t.match((await gateway.get(`${path}?wait=61`)).json, badAt('/query/wait'))
})

t.test('parameters that are unknown, doubled, contradictory or malformed are refused', async (t) => {
  const cases: Array<[string, string]> = [
    ['/v1/streams/any/messages?lmit=1', '/query/lmit'],
    ['/v1/streams/any/messages?limit=1&limit=1', '/query/limit'],
    ['/v1/streams/any/messages?__proto__=1', '/query/__proto__'],
    ['/v1/streams/any/messages?offset=first&timestamp=2026-01-01T00:00:00Z', '/query/timestamp'],
    ['/v1/streams/any/messages?timestamp=2026-02-30T00:00:00Z', '/query/timestamp'],
    ['/v1/streams/any/messages?body=xml', '/query/body'],
    ['/v1/streams/any/messages/1?limit=1', '/query/limit'],
    ['/v1/streams/any/messages/x', '/path/offset'],
    ['/v1/streams/any/messages/1e3', '/path/offset'],
    ['/v1/streams/any/messages/9007199254740992', '/path/offset'],
    ['/v1/streams/any?x=1', '/query/x'],
    ['/health/live?x=1', '/query/x'],
    ['/v1/streams/any/messages/lines?body=text', '/query/body']
  ]
  for (const [path, pointer] of cases) t.match((await gateway.get(path)).json, badAt(pointer), path)
  t.match((await gateway.get('/v1/streams/any/messages?offset=%ff')).json, { status: 400, code: 'bad_request' })
  t.match((await gateway.get('/v1/streams?prefix=%')).json, { status: 400, code: 'bad_request' })
})

t.test('the answer has the media type that the client prefers', async (t) => {
  const stream = await gateway.newStream(t)
  await publishLines(stream, 'a\nb\n')
  const path = `/v1/streams/${stream}/messages`
  t.match((await gateway.get(path)).headers['content-type'], 'application/json')
  const ndjson = await gateway.get(path, { accept: 'application/x-ndjson' })
  t.match(ndjson.headers['content-type'], 'application/x-ndjson')
  const lines = ndjson.text.split('\n').map((line) => line === '' ? null : JSON.parse(line))
  t.match(lines, exactly({ offset: 0, body: 'a' }, { offset: 1, body: 'b' }, null))
  t.equal(ndjson.headers['stream-next-offset'], '2')
  t.match((await gateway.get(path, { accept: 'text/html' })).json, { status: 406, code: 'not_acceptable' })
})

t.test('bodies are returned as the caller asks', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, { a: 1 })
  const read = async (body: string) => (await gateway.get(`/v1/streams/${stream}/messages/0?body=${body}`)).json
  t.match(await read('auto'), { body: { a: 1 }, bodyEncoding: 'json' })
  t.match(await read('json'), { body: { a: 1 }, bodyEncoding: 'json' })
  t.match(await read('text'), { body: '{"a":1}', bodyEncoding: 'text' })
  t.match(await read('base64'), { body: 'eyJhIjoxfQ==', bodyEncoding: 'base64' })
})

t.test('a waiting read answers as soon as there is a message, and when its time is over', async (t) => {
  const stream = await gateway.newStream(t)
  const waiting = gateway.get(`/v1/streams/${stream}/messages?wait=30`)
  await gateway.publish(stream, 'now')
  t.match((await waiting).json, { messages: exactly({ offset: 0, body: 'now' }), nextOffset: 1 })
  const startMs = performance.now()
  const empty = await gateway.get(`/v1/streams/${stream}/messages?offset=next&wait=1`)
  t.same(empty.json, { messages: [], nextOffset: 1, endOfStream: true })
  t.ok(performance.now() - startMs >= 900, 'it was held')
})

t.test('one message is read by its offset', async (t) => {
  const stream = await gateway.newStream(t)
  await publishLines(stream, 'a\nb\n')
  t.match((await gateway.get(`/v1/streams/${stream}/messages/1`)).json, { offset: 1, body: 'b' })
  for (const path of ['2', '1000', '2/raw']) {
    const { json } = await gateway.get(`/v1/streams/${stream}/messages/${path}`)
    t.match(json, { status: 404, code: 'message_not_found' })
  }
})

t.test('a stored message cannot be a web page of the gateway, nor set its headers', async (t) => {
  const stream = await gateway.newStream(t)
  const withHeader = 'text/html\r\nset-cookie: a=b'
  await gateway.request('POST', `/v1/streams/${stream}/messages`, {
    json: {
      messages: [
        { body: '<script>1</script>', bodyEncoding: 'text', properties: { contentType: 'text/html' } },
        { body: '', bodyEncoding: 'text', properties: { contentType: withHeader } }
      ]
    }
  })
  const { headers } = await gateway.get(`/v1/streams/${stream}/messages/0/raw`)
  t.match(headers, {
    'content-type': 'text/html',
    'x-content-type-options': 'nosniff',
    'content-security-policy': /default-src 'none'.*sandbox/
  })
  const split = await gateway.get(`/v1/streams/${stream}/messages/1/raw`)
  t.equal(split.headers['content-type'], 'application/octet-stream')
  t.equal(split.headers['set-cookie'], undefined)
})

t.test('lines end before a body with a line feed, and a client can step over it', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 1)
  await gateway.request('POST', `/v1/streams/${stream}/messages/raw`, { body: 'two\nlines' })
  await gateway.publish(stream, 3)
  const before = await gateway.get(`/v1/streams/${stream}/messages/lines`)
  t.equal(before.text, '1\n')
  t.match(before.headers, { 'stream-next-offset': '1', 'stream-end-of-stream': 'false', link: /offset=1>/ })
  const notALine = await gateway.get(`/v1/streams/${stream}/messages/lines?offset=1`)
  t.match(notALine.json, { status: 422, code: 'body_not_a_line', offset: 1 })
  t.equal((await gateway.get(`/v1/streams/${stream}/messages/1/raw`)).text, 'two\nlines')
  t.equal((await gateway.get(`/v1/streams/${stream}/messages/lines?offset=2`)).text, '3\n')
})

t.test('HEAD answers as GET without the body', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 1)
  const head = await gateway.request('HEAD', `/v1/streams/${stream}/messages`)
  t.match(head, { status: 200, text: '' })
  const get = await gateway.get(`/v1/streams/${stream}/messages`)
  t.equal(head.headers['content-length'], get.headers['content-length'])
  t.equal((await gateway.request('HEAD', '/v1/streams/there-is-none/messages')).status, 404)
})

t.test('answers are not cached: a stream may be deleted and created again', async (t) => {
  const stream = await gateway.newStream(t)
  await publishLines(stream, 'a\nb\n')
  t.equal((await gateway.get(`/v1/streams/${stream}/messages?offset=0&limit=1`)).headers['cache-control'], 'no-store')
})
