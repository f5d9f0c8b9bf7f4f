import { randomBytes } from 'node:crypto'
import * as zlib from 'node:zlib'
import t from 'tap'
import { startGateway, type Answer } from '../support/gateway.ts'
import { until } from '../support/until.ts'

// Bodies with a Content-Encoding.
const LIMIT_BYTES = 1024 * 1024
const STREAMED_LIMIT_BYTES = 8 * 1024 * 1024
const gateway = await startGateway(t, {
  HTTP_MAX_BODY_BYTES: String(LIMIT_BYTES),
  HTTP_MAX_STREAMED_BODY_BYTES: String(STREAMED_LIMIT_BYTES)
})

type Compress = (bytes: Buffer) => Buffer

const CODINGS: ReadonlyArray<readonly [name: string, compress: Compress]> = [
  ['gzip', zlib.gzipSync],
  ['GZIP', zlib.gzipSync],
  ['x-gzip', zlib.gzipSync],
  ['identity, gzip', zlib.gzipSync],
  ['gzip', (bytes) => Buffer.concat([zlib.gzipSync(bytes.subarray(0, 3)), zlib.gzipSync(bytes.subarray(3))])],
  ['deflate', zlib.deflateSync],
  ['deflate', zlib.deflateRawSync],
  ['br', (bytes) => brotli(bytes, 22)],
  ['br', (bytes) => brotli(bytes, 10)],
  ...zstdOfRuntime()
]

function brotli (bytes: Buffer, windowLog: number): Buffer {
  const { BROTLI_PARAM_LGWIN, BROTLI_PARAM_QUALITY } = zlib.constants
  return zlib.brotliCompressSync(bytes, { params: { [BROTLI_PARAM_LGWIN]: windowLog, [BROTLI_PARAM_QUALITY]: 4 } })
}

function zstdOfRuntime (): Array<readonly [string, Compress]> {
  const compress: unknown = Reflect.get(zlib, 'zstdCompressSync')
  return isCompress(compress) ? [['zstd', compress]] : []
}

function isCompress (value: unknown): value is Compress {
  return typeof value === 'function'
}

async function post (path: string, coding: string, body: Buffer | AsyncIterable<Buffer>, type = ''): Promise<Answer> {
  const headers = { 'content-encoding': coding, ...(type !== '' && { 'content-type': type }) }
  return await gateway.request('POST', `/v1/streams/${path}`, { headers, body })
}

async function lines (stream: string): Promise<string> {
  return (await gateway.get(`/v1/streams/${stream}/messages/lines?limit=10000&maxBytes=16777216`)).text
}

async function * pieces (bytes: Buffer, length: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length)
}

t.afterEach(async () => {
  await until('all memory is given back', async () => gateway.app.totalBodyBytes() === 0)
})

t.test('every body may be compressed, in every coding, whole or byte by byte', async (t) => {
  for (const [coding, compress] of CODINGS) {
    const stream = await gateway.newStream(t)
    const send = async (path: string, text: string, type: string): Promise<unknown> => {
      const bytes = compress(Buffer.from(text))
      const whole = await post(`${stream}/${path}`, coding, bytes, type)
      t.match(whole, { status: 200 }, `${coding} ${path}`)
      return (await post(`${stream}/${path}`, coding, pieces(bytes, 1), type)).json
    }
    const json = await send('messages', '{"messages":[{"body":"json","bodyEncoding":"text"}]}', 'application/json')
    t.match(json, { confirmed: 1 })
    const ndjson = '{"body":"n1","bodyEncoding":"text"}\n{"body":"n2","bodyEncoding":"text"}\n'
    t.match(await send('messages', ndjson, 'application/x-ndjson'), { confirmed: 2 })
    t.match(await send('messages/raw', 'raw', 'text/plain'), { confirmed: 1 })
    t.match(await send('messages/lines', 'l1\nl2\nl3', 'text/plain'), { confirmed: 3 })
    t.equal(await lines(stream), 'json\njson\nn1\nn2\nn1\nn2\nraw\nraw\nl1\nl2\nl3\nl1\nl2\nl3\n')
  }
})

t.test('a body of the rest of the API may be compressed too', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 1, 2)
  const put = await gateway.request('PUT', `/v1/streams/${stream}/consumers/c/offset`, {
    headers: { 'content-encoding': 'gzip', 'content-type': 'application/json' },
    body: zlib.gzipSync('{"offset":1}')
  })
  t.equal(put.status, 200)
  t.match((await gateway.get(`/v1/streams/${stream}/consumers/c/offset`)).json, { storedOffset: 1 })
})

t.test('a body of nothing may have a coding', async (t) => {
  const stream = await gateway.newStream(t)
  for (const body of [Buffer.alloc(0), zlib.gzipSync('')]) {
    t.match((await post(`${stream}/messages/raw`, 'gzip', body)).json, { confirmed: 1 })
  }
  t.equal(await lines(stream), '\n\n')
})

t.test('a coding that is not read is refused with those that are', async (t) => {
  const stream = await gateway.newStream(t)
  for (const coding of ['compress', 'gzip, br', 'gzip,gzip', 'nonsense', 'gzip;q=1', '*']) {
    for (const path of ['messages', 'messages/raw', 'messages/lines']) {
      const { json, headers } = await post(`${stream}/${path}`, coding, zlib.gzipSync('a\n'), 'application/json')
      t.match(json, { status: 415, code: 'unsupported_media_type', sideEffects: 'none' }, `${path} ${coding}`)
      t.match(headers['accept-encoding'], /^gzip, deflate, br(, zstd)?$/)
    }
  }
  const typed = await gateway.request('POST', `/v1/streams/${stream}/messages`, {
    headers: { 'content-type': 'text/plain' },
    body: 'x'
  })
  t.equal(typed.status, 415)
  t.equal(typed.headers['accept-encoding'], undefined, 'the coding was not the fault')
})

t.test('a damaged body is refused, and nothing of a whole one is stored', async (t) => {
  const stream = await gateway.newStream(t)
  const text = Buffer.from(`{"messages":[{"body":"${randomBytes(2000).toString('hex')}"}]}`)
  for (const [coding, compress] of CODINGS) {
    const good = compress(text)
    const middle = Buffer.from(good)
    middle.fill(0xff, good.length >> 1, (good.length >> 1) + 20)
    const bad: Array<[string, Buffer]> = [
      ['truncated', good.subarray(0, -1)],
      ['cut in the middle', good.subarray(0, good.length >> 1)],
      ['bytes behind it', Buffer.concat([good, Buffer.from('more')])],
      ['zeros behind it', Buffer.concat([good, Buffer.alloc(3)])],
      ['not compressed', text]
    ]
    if (/gzip/i.test(coding)) bad.push(['changed in the middle', middle])
    for (const [how, bytes] of bad) {
      const { json } = await post(`${stream}/messages`, coding, bytes, 'application/json')
      t.match(json, { status: 400, code: 'bad_request', sideEffects: 'none' }, `${coding} ${how}`)
    }
  }
  t.equal(await lines(stream), '')
})

t.test('a streamed body that is damaged says what became of the lines before', async (t) => {
  for (const [coding, compress] of CODINGS) {
    const stream = await gateway.newStream(t)
    const text = Array.from({ length: 3000 }, (_, n) => `${n} ${randomBytes(100).toString('hex')}\n`).join('')
    const whole = compress(Buffer.from(text))
    const { json } = await post(`${stream}/messages/lines`, coding, pieces(whole.subarray(0, -5), 10_000))
    t.match(json, { status: 400, code: 'bad_request', detail: /ends too early/ }, coding)
    const stored = await lines(stream)
    t.ok(text.startsWith(stored), 'whole lines, in order')
    const count = stored.split('\n').length - 1
    if (count > 0) t.match(json, { sideEffects: 'possible', published: { confirmed: count, duplicates: 0 } })
  }
})

t.test('a small body that would be a large one is stopped at the limit', async (t) => {
  const stream = await gateway.newStream(t)
  for (const [coding, compress] of CODINGS) {
    const bomb = compress(Buffer.alloc(16 * LIMIT_BYTES, 'x'))
    let most = 0
    const watch = setInterval(() => { most = Math.max(most, gateway.app.totalBodyBytes()) }, 1)
    for (const path of ['messages', 'messages/raw']) {
      const { json } = await post(`${stream}/${path}`, coding, bomb, 'application/json')
      t.match(json, { status: 413, code: 'payload_too_large', sideEffects: 'none' }, `${coding} ${path}`)
    }
    clearInterval(watch)
    // The body, doubled while it grows, and the window of Brotli.
    t.ok(most <= 6 * LIMIT_BYTES + 1024 * 1024, `${most} bytes held`)
    const exact = compress(Buffer.alloc(LIMIT_BYTES + 1, 'x'))
    t.match((await post(`${stream}/messages/raw`, coding, exact)).json, { status: 413 }, 'a byte too many')
  }
})

t.test('a streamed body that would be too large is stopped, and the lines before are stored', async (t) => {
  for (const [coding, compress] of CODINGS) {
    const stream = await gateway.newStream(t)
    const bomb = compress(Buffer.alloc(3 * STREAMED_LIMIT_BYTES, `${'x'.repeat(1023)}\n`))
    const { json } = await post(`${stream}/messages/lines`, coding, bomb)
    t.match(json, { status: 413, code: 'payload_too_large', sideEffects: 'possible' }, coding)
    const { confirmed } = publishedOf(json)
    t.ok(confirmed > 0 && confirmed <= STREAMED_LIMIT_BYTES / 1024, `${confirmed} lines`)
  }
})

t.test('compressed bytes count too, also when nothing comes of them', async (t) => {
  const stream = await gateway.newStream(t)
  const members = Buffer.concat(Array.from({ length: 60_000 }, () => zlib.gzipSync('')))
  t.ok(members.length > LIMIT_BYTES)
  for (const body of [members, pieces(members, 50_000)]) {
    t.match((await post(`${stream}/messages/raw`, 'gzip', body)).json, { status: 413, code: 'payload_too_large' })
  }
})

t.test('a connection goes on after a compressed body, good or bad', async (t) => {
  const stream = await gateway.newStream(t)
  const bodies = [zlib.gzipSync('a\n'), Buffer.from('no gzip'), zlib.gzipSync(Buffer.alloc(16 * LIMIT_BYTES))]
  for (let round = 0; round < 3; round++) {
    const answers = await Promise.all(bodies.map(async (body) => await post(`${stream}/messages/raw`, 'gzip', body)))
    t.same(answers.map(({ status }) => status), [200, 400, 413])
  }
})

t.test('a client that leaves in the middle of a compressed body leaves nothing behind', async (t) => {
  const stream = await gateway.newStream(t)
  const bytes = zlib.gzipSync(randomBytes(500_000))
  async function * abandoned (): AsyncGenerator<Buffer> {
    yield bytes.subarray(0, 100_000)
    await until('the beginning is held', async () => gateway.app.totalBodyBytes() > 0)
    throw new Error('the client leaves')
  }
  for (const path of ['messages/raw', 'messages/lines']) {
    await t.rejects(post(`${stream}/${path}`, 'gzip', abandoned()))
  }
  t.match((await gateway.get(`/v1/streams/${stream}`)).json, { nextOffset: 0 })
})

function publishedOf (json: unknown): { confirmed: number } {
  const published = typeof json === 'object' && json !== null && 'published' in json ? json.published : undefined
  const isCounted = typeof published === 'object' && published !== null && 'confirmed' in published
  return { confirmed: isCounted ? Number(published.confirmed) : 0 }
}
