import t from 'tap'
import { exactly } from '../support/exactly.ts'
import { startGateway, type Answer, type RequestOptions } from '../support/gateway.ts'
import { until } from '../support/until.ts'

// Bodies that are published while they arrive: NDJSON and lines. A raw body is beside them for its size.
const gateway = await startGateway(t)
const FRAME_BYTES = 1024 * 1024

async function publishNdjson (stream: string, body: RequestOptions['body'], query = ''): Promise<Answer> {
  const headers = { 'content-type': 'application/x-ndjson' }
  return await gateway.request('POST', `/v1/streams/${stream}/messages${query}`, { headers, body })
}

async function publishLines (stream: string, body: RequestOptions['body'], query = ''): Promise<Answer> {
  return await gateway.request('POST', `/v1/streams/${stream}/messages/lines${query}`, { body })
}

async function bodies (stream: string): Promise<string> {
  return (await gateway.get(`/v1/streams/${stream}/messages/lines?limit=10000&maxBytes=1000000`)).text
}

t.test('NDJSON is published line by line, whatever the chunks', async (t) => {
  const stream = await gateway.newStream(t)
  const texts = Array.from({ length: 300 }, (_, n) => `ä€😀${n}`)
  const bytes = Buffer.from(texts.map((body) => JSON.stringify({ body, bodyEncoding: 'text' })).join('\n'))
  async function * oddChunks () {
    for (let at = 0; at < bytes.length; at += 37) yield bytes.subarray(at, at + 37)
  }
  t.same((await publishNdjson(stream, oddChunks())).json, { confirmed: 300, duplicates: 0 })
  t.equal(await bodies(stream), texts.map((text) => `${text}\n`).join(''))
})

t.test('a bad line of NDJSON ends the request, and the answer says what became of the lines before it', async (t) => {
  const cases: Array<[string | Buffer, string]> = [
    ['{"bdy":1}', '/2/body'],
    ['{', '/2'],
    ['[]', '/2'],
    [Buffer.from([0x22, 0xff, 0x22]), '/2'],
    ['{"body":1,"publishingId":1}', '/2/publishingId'],
    ['{"body":"=","bodyEncoding":"base64"}', '/2/body'],
    ['{"body":1,"__proto__":1}', '/2/__proto__']
  ]
  for (const [line, pointer] of cases) {
    const stream = await gateway.newStream(t)
    const [before, after] = [Buffer.from('{"body":0}\n{"body":1}\n'), Buffer.from('\n{"body":3}\n')]
    const { json } = await publishNdjson(stream, Buffer.concat([before, Buffer.from(line), after]))
    t.match(json, {
      status: 400,
      code: 'validation_failed',
      sideEffects: 'possible',
      published: { confirmed: 2, duplicates: 0 },
      errors: exactly({ pointer })
    }, String(line))
    t.equal(await bodies(stream), '0\n1\n')
  }
})

t.test('empty lines of NDJSON are skipped, and faults name the line as an editor counts', async (t) => {
  const stream = await gateway.newStream(t)
  const all = await publishNdjson(stream, '\n{"body":1}\r\n\r\n \t\n{"body":2}\n\n\n')
  t.same(all.json, { confirmed: 2, duplicates: 0 })
  const bad = await publishNdjson(stream, '\n{"body":3}\n\n{"body": NaN}\n')
  t.match(bad.json, {
    status: 400,
    detail: /line 4, column 10: NaN/,
    published: { confirmed: 1 },
    errors: exactly({ pointer: '/3', message: /line 4, column 10: NaN/ })
  })
  t.equal(await bodies(stream), '1\n2\n3\n')
})

t.test('a body without lines publishes nothing', async (t) => {
  const stream = await gateway.newStream(t)
  for (const body of ['', '\n', ' \r\n\n']) {
    for (const query of ['', '?publisher=p']) {
      t.match((await publishNdjson(stream, body, query)).json, { confirmed: 0, duplicates: 0 })
    }
  }
  const lines = `/v1/streams/${stream}/messages/lines`
  t.match((await gateway.request('POST', lines, { body: '' })).json, { confirmed: 0, duplicates: 0 })
  const named = await gateway.request('POST', `${lines}?publisher=p&firstPublishingId=1`, { body: '' })
  t.match(named.json, { confirmed: 0, duplicates: 0 })
  t.equal(await bodies(stream), '')
})

t.test('a bad first line has no side effects', async (t) => {
  const stream = await gateway.newStream(t)
  const { json } = await publishNdjson(stream, 'nonsense\n{"body":1}\n')
  t.match(json, { status: 400, sideEffects: 'none', errors: exactly({ pointer: '/0' }) })
  t.notHas(json, { published: {} })
})

t.test('publishing ids of an NDJSON body ascend over all its chunks', async (t) => {
  const stream = await gateway.newStream(t)
  async function * slow () {
    yield Buffer.from('{"body":1,"publishingId":5}\n')
    await gateway.get('/health/live')
    yield Buffer.from('{"body":2,"publishingId":5}\n')
  }
  const { json } = await publishNdjson(stream, slow(), '?publisher=p')
  t.match(json, { status: 400, published: { confirmed: 1 }, errors: exactly({ pointer: '/1/publishingId' }) })
})

t.test('lines are messages, byte for byte', async (t) => {
  const stream = await gateway.newStream(t)
  const notText = Buffer.from([0xff, 0x00, 0x0a])
  const body = Buffer.concat([Buffer.from('a\r\n\n{"not":"parsed"\n'), notText, Buffer.from('last')])
  t.same((await publishLines(stream, body)).json, { confirmed: 5, duplicates: 0 })
  const { bytes } = await gateway.get(`/v1/streams/${stream}/messages/lines`)
  t.same(bytes, Buffer.concat([body, Buffer.from('\n')]))
  t.match((await publishLines(stream, undefined)).json, { confirmed: 0 }, 'no body, no lines')
})

t.test('lines of a named publisher are numbered from the first id', async (t) => {
  const stream = await gateway.newStream(t)
  const answerTo = async (query: string): Promise<unknown> => (await publishLines(stream, 'a\nb\nc\n', query)).json
  const badId = { status: 400, errors: exactly({ pointer: '/query/firstPublishingId' }) }
  t.match(await answerTo('?publisher=p'), badId)
  t.match(await answerTo('?firstPublishingId=1'), badId)
  t.same(await answerTo('?publisher=p&firstPublishingId=10'), { confirmed: 3, duplicates: 0, lastPublishingId: 12 })
  t.same(await answerTo('?publisher=p&firstPublishingId=11'), { confirmed: 1, duplicates: 2, lastPublishingId: 13 })
  t.match((await gateway.get(`/v1/streams/${stream}/publishers/p`)).json, { lastPublishingId: 13 })
  const beyond = await answerTo(`?publisher=p&firstPublishingId=${2 ** 53 - 2}`)
  t.match(beyond, { status: 400, errors: exactly({ pointer: '/2' }) })
})

t.test('a message too large for a frame is refused, and the stream takes the next message', async (t) => {
  const stream = await gateway.newStream(t)
  const answerTo = async (bytes: number): Promise<unknown> => {
    return (await gateway.request('POST', `/v1/streams/${stream}/messages/raw`, { body: Buffer.alloc(bytes) })).json
  }
  t.match(await answerTo(FRAME_BYTES), { status: 413, code: 'payload_too_large', sideEffects: 'none' })
  t.same(await answerTo(FRAME_BYTES - 200), { confirmed: 1, duplicates: 0 })
})

t.test('the answer about a message that is too large names its place in a streamed request', async (t) => {
  const stream = await gateway.newStream(t)
  async function * lines (): AsyncGenerator<Buffer> {
    yield Buffer.from('0\n1\n2\n')
    await until('the first are stored', async () => {
      const { json } = await gateway.get(`/v1/streams/${stream}`)
      return typeof json === 'object' && json !== null && 'nextOffset' in json && json.nextOffset === 3
    })
    yield Buffer.from(`3\n4\n${'x'.repeat(2 * 1024 * 1024)}\n`)
  }
  const { json } = await publishLines(stream, lines())
  t.match(json, { status: 413, index: 5, detail: /^message 5 does not fit/, published: { confirmed: 5 } })
})
