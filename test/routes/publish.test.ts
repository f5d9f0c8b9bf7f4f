import t from 'tap'
import { startGateway, type Gateway } from '../support/gateway.ts'
import { until } from '../support/until.ts'
import { exactly } from '../support/exactly.ts'

const gateway = await startGateway(t, { PUBLISH_MAX_MESSAGES: '50', PUBLISH_MAX_STREAMED_MESSAGES: '5000', PUBLISH_MAX_LINE_BYTES: '100000', HTTP_MAX_BODY_BYTES: '200000', HTTP_MAX_STREAMED_BODY_BYTES: '400000' })
const NDJSON = { 'content-type': 'application/x-ndjson' }

async function bodies (gateway: Gateway, stream: string): Promise<string> {
  const { text } = await gateway.get(`/v1/streams/${stream}/messages/lines?limit=10000&maxBytes=1000000`)
  return text
}

t.test('what is published as JSON is there, in order, once it is answered', async (t) => {
  const stream = await gateway.newStream(t)
  const answer = await gateway.publish(stream, { a: 1 }, 'text', null, [1, 2])
  t.equal(answer.status, 200)
  t.same(answer.json, { confirmed: 4, duplicates: 0 })
  t.equal(await bodies(gateway, stream), '{"a":1}\n"text"\nnull\n[1,2]\n')
})

t.test('a JSON body is checked whole before anything is sent', async (t) => {
  const stream = await gateway.newStream(t)
  const messages = [{ body: 1 }, {}, { body: 1, typo: 1 }, { body: 1, bodyEncoding: 'xml' }, { body: '%', bodyEncoding: 'base64' }, 7]
  const answer = await gateway.request('POST', `/v1/streams/${stream}/messages`, { json: { messages } })
  t.equal(answer.status, 400)
  t.match(answer.json, {
    code: 'validation_failed',
    sideEffects: 'none',
    errors: exactly(...['/messages/1/body', '/messages/2/typo', '/messages/3/bodyEncoding', '/messages/4/body', '/messages/5'].map((pointer) => ({ pointer })))
  })
  t.equal(await bodies(gateway, stream), '')
})

t.test('a body with thousands of bad messages names twenty of them', async (t) => {
  const stream = await gateway.newStream(t)
  const { json } = await gateway.request('POST', `/v1/streams/${stream}/messages`, { json: { messages: Array.from({ length: 50 }, () => ({ x: 1, y: 2 })) } })
  t.match(json, { errors: { length: 20 } })
})

t.test('a JSON body has messages, and nothing else', async (t) => {
  const path = '/v1/streams/any/messages'
  const cases: Array<[unknown, string]> = [[[], ''], [1, ''], [{}, '/messages'], [{ messages: [] }, '/messages'], [{ messages: {} }, '/messages'], [{ messages: [{ body: 1 }], 'a/b': 1 }, '/a~1b']]
  for (const [json, pointer] of cases) {
    t.match((await gateway.request('POST', path, { json })).json, { status: 400, errors: exactly({ pointer }) }, JSON.stringify(json))
  }
  t.match((await gateway.request('POST', path)).json, { status: 400 }, 'no body')
  t.match((await gateway.request('POST', path, { headers: { 'content-type': 'application/json' }, body: '{"messages":[' })).json, { status: 400, code: 'bad_request' })
  t.match((await gateway.request('POST', path, { headers: { 'content-type': 'application/json' }, body: Buffer.from([0x22, 0xff, 0x22]) })).json, { status: 400, code: 'bad_request' })
  t.match((await gateway.request('POST', path, { headers: { 'content-type': 'application/json' }, body: '{"messages":[{"body":1,"__proto__":{}}]}' })).json, { status: 400, code: 'bad_request' })
})

t.test('limits are named with their value', async (t) => {
  const stream = await gateway.newStream(t)
  const path = `/v1/streams/${stream}/messages`
  const many = await gateway.request('POST', path, { json: { messages: Array.from({ length: 51 }, () => ({ body: 1 })) } })
  t.match(many.json, { status: 413, code: 'payload_too_large', detail: /PUBLISH_MAX_MESSAGES \(50\)/ })
  const large = await gateway.request('POST', path, { json: { messages: [{ body: 'x'.repeat(300_000) }] } })
  t.match(large.json, { status: 413, detail: /200000 bytes/ })
  const chunked = await gateway.request('POST', path, { headers: { 'content-type': 'application/json' }, body: chunks('x'.repeat(50_000), 10) })
  t.match(chunked.json, { status: 413, detail: /200000 bytes/ }, 'without a Content-Length, too')
  const long = await gateway.request('POST', `${path}/lines`, { body: `short\n${'x'.repeat(100_001)}\n` })
  t.match(long.json, { status: 413, detail: /PUBLISH_MAX_LINE_BYTES \(100000 bytes\)/, published: { confirmed: 1 } })
  const lines = await gateway.request('POST', `${path}/lines`, { body: 'x\n'.repeat(5001) })
  t.match(lines.json, { status: 413, detail: /PUBLISH_MAX_STREAMED_MESSAGES \(5000\)/, published: { confirmed: 5000 }, sideEffects: 'possible' })
  const stream413 = await gateway.request('POST', `${path}/lines`, { body: chunks(`${'x'.repeat(9_999)}\n`, 50) })
  t.match(stream413.json, { status: 413, detail: /HTTP_MAX_STREAMED_BODY_BYTES \(400000 bytes\)/ })
})

t.test('publisher and publishing id come together or not at all, and ids ascend', async (t) => {
  const stream = await gateway.newStream(t)
  const send = async (query: string, ...messages: object[]) => await gateway.request('POST', `/v1/streams/${stream}/messages${query}`, { json: { messages } })
  t.match((await send('', { body: 1, publishingId: 1 })).json, { status: 400, errors: exactly({ pointer: '/messages/0/publishingId' }) })
  t.match((await send('?publisher=p', { body: 1 })).json, { status: 400, errors: exactly({ pointer: '/messages/0/publishingId' }) })
  t.match((await send('?publisher=p', { body: 1, publishingId: 2 }, { body: 1, publishingId: 2 }, { body: 1, publishingId: 1 })).json, { status: 400, errors: exactly({ pointer: '/messages/1/publishingId' }, { pointer: '/messages/2/publishingId' }) })
  t.match((await send('?expectedLastPublishingId=1', { body: 1 })).json, { status: 400, errors: exactly({ pointer: '/query/expectedLastPublishingId' }) })
  t.match((await send('?publisher=p', { body: 1, publishingId: 2 ** 53 })).json, { status: 400, errors: exactly({ pointer: '/messages/0/publishingId' }) })
})

t.test('the same publishing ids again are duplicates, and stored once', async (t) => {
  const stream = await gateway.newStream(t)
  const send = async (query: string, ...ids: number[]) => await gateway.request('POST', `/v1/streams/${stream}/messages?publisher=p${query}`, { json: { messages: ids.map((publishingId) => ({ body: publishingId, publishingId })) } })
  t.same((await send('', 1, 5)).json, { confirmed: 2, duplicates: 0 })
  t.same((await send('', 4, 5, 6)).json, { confirmed: 1, duplicates: 2 })
  t.match((await send('&expectedLastPublishingId=5', 7)).json, { status: 412, code: 'expectation_failed', lastPublishingId: 6 })
  t.same((await send('&expectedLastPublishingId=6', 7)).json, { confirmed: 1, duplicates: 0 })
  t.equal(await bodies(gateway, stream), '1\n5\n6\n7\n')
})

t.test('NDJSON is published line by line, whatever the chunks', async (t) => {
  const stream = await gateway.newStream(t)
  const text = Array.from({ length: 300 }, (_, n) => `${JSON.stringify({ body: `ä€😀${n}`, bodyEncoding: 'text' })}\n`).join('')
  const bytes = Buffer.from(text.trimEnd())
  async function * oddChunks () {
    for (let at = 0; at < bytes.length; at += 37) yield bytes.subarray(at, at + 37)
  }
  t.same((await gateway.request('POST', `/v1/streams/${stream}/messages`, { headers: NDJSON, body: oddChunks() })).json, { confirmed: 300, duplicates: 0 })
  t.equal(await bodies(gateway, stream), Array.from({ length: 300 }, (_, n) => `ä€😀${n}\n`).join(''))
})

t.test('a bad line of NDJSON ends the request, and says what became of the lines before it', async (t) => {
  const cases: Array<[string | Buffer, string]> = [
    ['{"bdy":1}', '/2/body'], ['{', '/2'], ['', '/2'], ['[]', '/2'], [Buffer.from([0x22, 0xff, 0x22]), '/2'], ['{"body":1,"publishingId":1}', '/2/publishingId'], ['{"body":"=","bodyEncoding":"base64"}', '/2/body'], ['{"body":1,"__proto__":1}', '/2']
  ]
  for (const [line, pointer] of cases) {
    const stream = await gateway.newStream(t)
    const body = Buffer.concat([Buffer.from('{"body":0}\n{"body":1}\n'), Buffer.from(line), Buffer.from('\n{"body":3}\n')])
    const answer = await gateway.request('POST', `/v1/streams/${stream}/messages`, { headers: NDJSON, body })
    t.match(answer.json, { status: 400, code: 'validation_failed', sideEffects: 'possible', published: { confirmed: 2, duplicates: 0 }, errors: exactly({ pointer }) }, String(line))
    t.equal(await bodies(gateway, stream), '0\n1\n')
  }
})

t.test('a bad first line has no side effects', async (t) => {
  const stream = await gateway.newStream(t)
  const { json } = await gateway.request('POST', `/v1/streams/${stream}/messages`, { headers: NDJSON, body: 'nonsense\n{"body":1}\n' })
  t.match(json, { status: 400, sideEffects: 'none', errors: exactly({ pointer: '/0' }) })
  t.notHas(json, { published: {} })
})

t.test('ids of an NDJSON body ascend over all its chunks', async (t) => {
  const stream = await gateway.newStream(t)
  async function * slow () {
    yield Buffer.from('{"body":1,"publishingId":5}\n')
    await gateway.get('/health/live')
    yield Buffer.from('{"body":2,"publishingId":5}\n')
  }
  const { json } = await gateway.request('POST', `/v1/streams/${stream}/messages?publisher=p`, { headers: NDJSON, body: slow() })
  t.match(json, { status: 400, published: { confirmed: 1 }, errors: exactly({ pointer: '/1/publishingId' }) })
})

t.test('lines are messages, byte for byte', async (t) => {
  const stream = await gateway.newStream(t)
  const body = Buffer.concat([Buffer.from('a\r\n\n{"not":"parsed"\n'), Buffer.from([0xff, 0x00, 0x0a]), Buffer.from('last')])
  t.same((await gateway.request('POST', `/v1/streams/${stream}/messages/lines`, { body })).json, { confirmed: 5, duplicates: 0 })
  const { bytes } = await gateway.get(`/v1/streams/${stream}/messages/lines`)
  t.same(bytes, Buffer.concat([body, Buffer.from('\n')]))
  t.match((await gateway.request('POST', `/v1/streams/${stream}/messages/lines`)).json, { status: 400 }, 'no body, no lines')
})

t.test('lines of a named publisher are numbered from the first id', async (t) => {
  const stream = await gateway.newStream(t)
  const send = async (query: string) => await gateway.request('POST', `/v1/streams/${stream}/messages/lines${query}`, { body: 'a\nb\nc\n' })
  t.match((await send('?publisher=p')).json, { status: 400, errors: exactly({ pointer: '/query/firstPublishingId' }) })
  t.match((await send('?firstPublishingId=1')).json, { status: 400, errors: exactly({ pointer: '/query/firstPublishingId' }) })
  t.same((await send('?publisher=p&firstPublishingId=10')).json, { confirmed: 3, duplicates: 0 })
  t.same((await send('?publisher=p&firstPublishingId=11')).json, { confirmed: 1, duplicates: 2 })
  t.match((await gateway.get(`/v1/streams/${stream}/publishers/p`)).json, { lastPublishingId: 13 })
  t.match((await send(`?publisher=p&firstPublishingId=${2 ** 53 - 2}`)).json, { status: 400, errors: exactly({ pointer: '/2' }) })
})

t.test('a raw body is one message with its content type and headers', async (t) => {
  const stream = await gateway.newStream(t)
  const body = Buffer.from([0, 1, 0xff, 0x0a, 0x0d])
  const headers = { 'content-type': 'image/png', 'message-id': 'm-1', 'correlation-id': 'c-1', subject: 's', 'app-property-tenant': 'acme' }
  t.same((await gateway.request('POST', `/v1/streams/${stream}/messages/raw`, { headers, body })).json, { confirmed: 1, duplicates: 0 })
  const raw = await gateway.get(`/v1/streams/${stream}/messages/0/raw`)
  t.same(raw.bytes, body)
  t.equal(raw.headers['content-type'], 'image/png')
  t.match((await gateway.get(`/v1/streams/${stream}/messages/0`)).json, {
    body: body.toString('base64'),
    bodyEncoding: 'base64',
    properties: { messageId: 'm-1', correlationId: 'c-1', subject: 's', contentType: 'image/png' },
    applicationProperties: { tenant: 'acme' }
  })
  t.same((await gateway.request('POST', `/v1/streams/${stream}/messages/raw`)).json, { confirmed: 1, duplicates: 0 }, 'an empty body is an empty message')
})

t.test('a raw body can be numbered by a header', async (t) => {
  const stream = await gateway.newStream(t)
  const send = async (query: string, id?: string) => await gateway.request('POST', `/v1/streams/${stream}/messages/raw${query}`, { body: 'x', ...(id !== undefined && { headers: { 'publishing-id': id } }) })
  t.match((await send('', '1')).json, { status: 400, errors: exactly({ pointer: '/headers/publishing-id' }) })
  t.match((await send('?publisher=p')).json, { status: 400, errors: exactly({ pointer: '/headers/publishing-id' }) })
  for (const bad of ['', 'x', '1.0', '-1', '9007199254740992']) t.match((await send('?publisher=p', bad)).json, { status: 400, errors: exactly({ pointer: '/headers/publishing-id' }) }, bad)
  t.same((await send('?publisher=p', '7')).json, { confirmed: 1, duplicates: 0 })
  t.same((await send('?publisher=p', '7')).json, { confirmed: 0, duplicates: 1 })
})

t.test('a message too large for a frame is refused, with the limit, and the stream goes on', async (t) => {
  const gateway = await startGateway(t)
  const stream = await gateway.newStream(t)
  const large = await gateway.request('POST', `/v1/streams/${stream}/messages/raw`, { body: Buffer.alloc(1024 * 1024) })
  t.match(large.json, { status: 413, code: 'payload_too_large', sideEffects: 'none' })
  t.same((await gateway.request('POST', `/v1/streams/${stream}/messages/raw`, { body: Buffer.alloc(1024 * 1024 - 200) })).json, { confirmed: 1, duplicates: 0 })
})

t.test('a message too large is named by its place in the request, also when it comes in a body that is published while it arrives', async (t) => {
  const gateway = await startGateway(t)
  const stream = await gateway.newStream(t)
  async function * lines (): AsyncGenerator<Buffer> {
    yield Buffer.from('0\n1\n2\n')
    await until('the first are stored', async () => {
      const { json } = await gateway.get(`/v1/streams/${stream}`)
      return typeof json === 'object' && json !== null && 'nextOffset' in json && json.nextOffset === 3
    })
    yield Buffer.from(`3\n4\n${'x'.repeat(2 * 1024 * 1024)}\n`)
  }
  const { json } = await gateway.request('POST', `/v1/streams/${stream}/messages/lines`, { body: lines() })
  t.match(json, { status: 413, index: 5, detail: /^message 5 does not fit/, published: { confirmed: 5 } })
})

t.test('types that an operation does not read are refused', async (t) => {
  const send = async (headers: Record<string, string>) => await gateway.request('POST', '/v1/streams/any/messages', { headers, body: '{}' })
  for (const type of ['text/plain', 'application/xml', 'nonsense']) t.match((await send({ 'content-type': type })).json, { status: 415, code: 'unsupported_media_type' }, type)
  t.match((await send({ 'content-type': 'text/plain' })).json, { detail: 'Content-Type has to be application/json or application/x-ndjson, not text/plain' })
  t.match((await send({ 'content-type': 'application/json', 'content-encoding': 'gzip' })).json, { status: 415 })
  t.match((await gateway.request('POST', '/v1/streams/any/messages/lines', { headers: { 'content-encoding': 'br' }, body: 'x' })).json, { status: 415 })
})

t.test('publishing to a stream that is not there is 404 in every form', async (t) => {
  const path = '/v1/streams/there-is-none/messages'
  const answers = [
    await gateway.request('POST', path, { json: { messages: [{ body: 1 }] } }),
    await gateway.request('POST', path, { headers: NDJSON, body: '{"body":1}\n' }),
    await gateway.request('POST', `${path}/lines`, { body: 'x\n' }),
    await gateway.request('POST', `${path}/raw`, { body: 'x' })
  ]
  for (const { json } of answers) t.match(json, { status: 404, code: 'stream_not_found', sideEffects: 'none', retryable: false })
})

t.test('what was read can be posted again unchanged', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.request('POST', `/v1/streams/${stream}/messages/raw`, { headers: { 'content-type': 'text/plain; charset=utf-8', 'app-property-a': 'b' }, body: 'grüße' })
  await gateway.publish(stream, { n: 1 })
  const first = await gateway.get(`/v1/streams/${stream}/messages`)
  const again = await gateway.request('POST', `/v1/streams/${stream}/messages`, { headers: NDJSON, body: (await gateway.get(`/v1/streams/${stream}/messages`, { accept: 'application/x-ndjson' })).text })
  t.same(again.json, { confirmed: 2, duplicates: 0 })
  const second = await gateway.get(`/v1/streams/${stream}/messages?offset=2`)
  const withoutPlace = (text: string) => text.replace(/"(offset|nextOffset)":\d+|"timestamp":"[^"]*"/g, '')
  t.equal(withoutPlace(second.text), withoutPlace(first.text))
})

async function * chunks (text: string, times: number): AsyncGenerator<Buffer> {
  for (let n = 0; n < times; n++) yield Buffer.from(text)
}
