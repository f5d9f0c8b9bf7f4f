import t from 'tap'
import { startGateway, type Answer } from '../support/gateway.ts'
import { exactly } from '../support/exactly.ts'

const gateway = await startGateway(t, {
  PUBLISH_MAX_MESSAGES: '50',
  PUBLISH_MAX_STREAMED_MESSAGES: '5000',
  PUBLISH_MAX_LINE_BYTES: '100000',
  HTTP_MAX_BODY_BYTES: '200000',
  HTTP_MAX_STREAMED_BODY_BYTES: '400000'
})
const JSON_TYPE = { 'content-type': 'application/json' }
const NDJSON_TYPE = { 'content-type': 'application/x-ndjson' }

/** What a request with one fault is answered. */
const badAt = (pointer: string): object => ({ status: 400, errors: exactly({ pointer }) })

async function bodies (stream: string): Promise<string> {
  return (await gateway.get(`/v1/streams/${stream}/messages/lines?limit=10000&maxBytes=1000000`)).text
}

async function publish (stream: string, query: string, messages: unknown): Promise<Answer> {
  return await gateway.request('POST', `/v1/streams/${stream}/messages${query}`, { json: { messages } })
}

t.test('what is published as JSON is in the stream, in order, once it is answered', async (t) => {
  const stream = await gateway.newStream(t)
  const answer = await gateway.publish(stream, { a: 1 }, 'text', null, [1, 2])
  t.equal(answer.status, 200)
  t.same(answer.json, { confirmed: 4, duplicates: 0 })
  t.equal(await bodies(stream), '{"a":1}\n"text"\nnull\n[1,2]\n')
})

t.test('a JSON body is checked whole before anything is sent', async (t) => {
  const stream = await gateway.newStream(t)
  const { status, json } = await publish(stream, '', [
    { body: 1 },
    {},
    { body: 1, typo: 1 },
    { body: 1, bodyEncoding: 'xml' },
    { body: '%', bodyEncoding: 'base64' },
    7
  ])
  const pointers = [
    '/messages/1/body', '/messages/2/typo', '/messages/3/bodyEncoding', '/messages/4/body', '/messages/5'
  ]
  t.equal(status, 400)
  t.match(json, {
    code: 'validation_failed',
    sideEffects: 'none',
    errors: exactly(...pointers.map((pointer) => ({ pointer })))
  })
  t.equal(await bodies(stream), '')
})

t.test('the answer to a body with many bad messages names twenty of them', async (t) => {
  const stream = await gateway.newStream(t)
  const { json } = await publish(stream, '', Array.from({ length: 50 }, () => ({ x: 1, y: 2 })))
  t.match(json, { errors: { length: 20 } })
})

t.test('a JSON body has messages, and nothing else', async (t) => {
  const path = '/v1/streams/any/messages'
  const cases: Array<[unknown, string]> = [
    [{}, '/messages'],
    [{ messages: {} }, '/messages'],
    [{ messages: [{ body: 1 }], 'a/b': 1 }, '/a~1b']
  ]
  for (const [json, pointer] of cases) {
    t.match((await gateway.request('POST', path, { json })).json, badAt(pointer), JSON.stringify(json))
  }
  t.match((await gateway.request('POST', path)).json, { status: 400 }, 'no body')
})

t.test('the answer to a request over a limit names the limit and its value', async (t) => {
  const stream = await gateway.newStream(t)
  const path = `/v1/streams/${stream}/messages`
  const many = await publish(stream, '', Array.from({ length: 51 }, () => ({ body: 1 })))
  t.match(many.json, { status: 413, code: 'payload_too_large', detail: /PUBLISH_MAX_MESSAGES \(50\)/ })
  const large = await publish(stream, '', [{ body: 'x'.repeat(300_000) }])
  t.match(large.json, { status: 413, detail: /200000 bytes/ })
  const chunked = await gateway.request('POST', path, { headers: JSON_TYPE, body: chunks('x'.repeat(50_000), 10) })
  t.match(chunked.json, { status: 413, detail: /200000 bytes/ }, 'without a Content-Length, too')
  const long = await gateway.request('POST', `${path}/lines`, { body: `short\n${'x'.repeat(100_001)}\n` })
  t.match(long.json, { status: 413, detail: /PUBLISH_MAX_LINE_BYTES \(100000 bytes\)/, published: { confirmed: 1 } })
  const lines = await gateway.request('POST', `${path}/lines`, { body: 'x\n'.repeat(5001) })
  t.match(lines.json, {
    status: 413,
    detail: /PUBLISH_MAX_STREAMED_MESSAGES \(5000\)/,
    published: { confirmed: 5000 },
    sideEffects: 'possible'
  })
  const streamed = await gateway.request('POST', `${path}/lines`, { body: chunks(`${'x'.repeat(9_999)}\n`, 50) })
  t.match(streamed.json, { status: 413, detail: /HTTP_MAX_STREAMED_BODY_BYTES \(400000 bytes\)/ })
})

t.test('publisher and publishing id come together or not at all, and ids ascend', async (t) => {
  const stream = await gateway.newStream(t)
  const answerTo = async (query: string, ...ids: Array<number | undefined>): Promise<unknown> => {
    return (await publish(stream, query, ids.map((publishingId) => ({ body: 1, publishingId })))).json
  }
  t.match(await answerTo('', 1), badAt('/messages/0/publishingId'))
  t.match(await answerTo('?publisher=p', undefined), badAt('/messages/0/publishingId'))
  t.match(await answerTo('?publisher=p', 2, 2, 1), {
    status: 400,
    errors: exactly({ pointer: '/messages/1/publishingId' }, { pointer: '/messages/2/publishingId' })
  })
  t.match(await answerTo('?expectedLastPublishingId=1', undefined), badAt('/query/expectedLastPublishingId'))
  t.match(await answerTo('?publisher=p', 2 ** 53), badAt('/messages/0/publishingId'))
})

t.test('messages with the same publishing ids are duplicates, and stored once', async (t) => {
  const stream = await gateway.newStream(t)
  const answerTo = async (query: string, ...ids: number[]): Promise<unknown> => {
    const messages = ids.map((publishingId) => ({ body: publishingId, publishingId }))
    return (await publish(stream, `?publisher=p${query}`, messages)).json
  }
  t.same(await answerTo('', 1, 5), { confirmed: 2, duplicates: 0, lastPublishingId: 5 })
  t.same(await answerTo('', 4, 5, 6), { confirmed: 1, duplicates: 2, lastPublishingId: 6 })
  const unexpected = await answerTo('&expectedLastPublishingId=5', 7)
  t.match(unexpected, { status: 412, code: 'expectation_failed', lastPublishingId: 6 })
  const expected = await answerTo('&expectedLastPublishingId=6', 7)
  t.same(expected, { confirmed: 1, duplicates: 0, lastPublishingId: 7 })
  t.equal(await bodies(stream), '1\n5\n6\n7\n')
})

t.test('a raw body is one message with its content type and headers', async (t) => {
  const stream = await gateway.newStream(t)
  const path = `/v1/streams/${stream}/messages`
  const body = Buffer.from([0, 1, 0xff, 0x0a, 0x0d])
  const headers = {
    'content-type': 'image/png',
    'message-id': 'm-1',
    'correlation-id': 'c-1',
    subject: 's',
    'app-property-tenant': 'acme'
  }
  const stored = { confirmed: 1, duplicates: 0 }
  t.same((await gateway.request('POST', `${path}/raw`, { headers, body })).json, stored)
  const raw = await gateway.get(`${path}/0/raw`)
  t.same(raw.bytes, body)
  t.equal(raw.headers['content-type'], 'image/png')
  t.match((await gateway.get(`${path}/0`)).json, {
    body: body.toString('base64'),
    bodyEncoding: 'base64',
    properties: { messageId: 'm-1', correlationId: 'c-1', subject: 's', contentType: 'image/png' },
    applicationProperties: { tenant: 'acme' }
  })
  t.same((await gateway.request('POST', `${path}/raw`)).json, stored, 'an empty body is an empty message')
})

t.test('a raw body gets its publishing id from a header', async (t) => {
  const stream = await gateway.newStream(t)
  const answerTo = async (query: string, id?: string): Promise<unknown> => {
    const headers: Record<string, string> = id === undefined ? {} : { 'publishing-id': id }
    return (await gateway.request('POST', `/v1/streams/${stream}/messages/raw${query}`, { body: 'x', headers })).json
  }
  t.match(await answerTo('', '1'), badAt('/headers/publishing-id'))
  t.match(await answerTo('?publisher=p'), badAt('/headers/publishing-id'))
  for (const bad of ['', 'x', '1.0', '-1', '9007199254740992']) {
    t.match(await answerTo('?publisher=p', bad), badAt('/headers/publishing-id'), bad)
  }
  t.same(await answerTo('?publisher=p', '7'), { confirmed: 1, duplicates: 0, lastPublishingId: 7 })
  t.same(await answerTo('?publisher=p', '7'), { confirmed: 0, duplicates: 1, lastPublishingId: 7 })
})

t.test('types that an operation does not read are refused', async (t) => {
  const answerTo = async (headers: Record<string, string>): Promise<unknown> => {
    return (await gateway.request('POST', '/v1/streams/any/messages', { headers, body: '{}' })).json
  }
  for (const type of ['text/plain', 'application/xml', 'nonsense']) {
    t.match(await answerTo({ 'content-type': type }), { status: 415, code: 'unsupported_media_type' }, type)
  }
  const detail = 'Content-Type has to be application/json or application/x-ndjson, not text/plain'
  t.match(await answerTo({ 'content-type': 'text/plain' }), { detail })
  t.match(await answerTo({ ...JSON_TYPE, 'content-encoding': 'compress' }), { status: 415 })
  const compressed = { headers: { 'content-encoding': 'compress' }, body: 'x' }
  t.match((await gateway.request('POST', '/v1/streams/any/messages/lines', compressed)).json, { status: 415 })
})

t.test('publishing to a stream that does not exist is 404 in every form', async (t) => {
  const path = '/v1/streams/there-is-none/messages'
  const answers = [
    await publish('there-is-none', '', [{ body: 1 }]),
    await gateway.request('POST', path, { headers: NDJSON_TYPE, body: '{"body":1}\n' }),
    await gateway.request('POST', `${path}/lines`, { body: 'x\n' }),
    await gateway.request('POST', `${path}/raw`, { body: 'x' })
  ]
  for (const { json } of answers) {
    t.match(json, { status: 404, code: 'stream_not_found', sideEffects: 'none', retryable: false })
  }
})

t.test('what was read can be posted again unchanged', async (t) => {
  const stream = await gateway.newStream(t)
  const path = `/v1/streams/${stream}/messages`
  const headers = { 'content-type': 'text/plain; charset=utf-8', 'app-property-a': 'b' }
  await gateway.request('POST', `${path}/raw`, { headers, body: 'grüße' })
  await gateway.publish(stream, { n: 1 })
  const first = await gateway.get(path)
  const { text: body } = await gateway.get(path, { accept: 'application/x-ndjson' })
  const again = await gateway.request('POST', path, { headers: NDJSON_TYPE, body })
  t.same(again.json, { confirmed: 2, duplicates: 0 })
  const second = await gateway.get(`${path}?offset=2`)
  const withoutPlace = (text: string) => text.replace(/"(offset|nextOffset)":\d+|"timestamp":"[^"]*"/g, '')
  t.equal(withoutPlace(second.text), withoutPlace(first.text))
})

async function * chunks (text: string, times: number): AsyncGenerator<Buffer> {
  for (let n = 0; n < times; n++) yield Buffer.from(text)
}
