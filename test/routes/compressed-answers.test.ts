import { fastify } from 'fastify'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import * as zlib from 'node:zlib'
import t from 'tap'
import { request as httpRequest } from 'undici'
import { negotiateCoding } from '../../src/http/accept.ts'
import compression from '../../src/plugins/compression.ts'
import proxies from '../../src/plugins/proxies.ts'
import requests from '../../src/plugins/requests.ts'
import { startGateway } from '../support/gateway.ts'
import { until } from '../support/until.ts'

// Answers with a Content-Encoding.
const on = await startGateway(t, { HTTP_COMPRESS_RESPONSES: 'true' })
const off = await startGateway(t)

type Expand = (bytes: Buffer) => Buffer

const EXPAND: ReadonlyMap<string, Expand> = new Map<string, Expand>([
  ['gzip', zlib.gunzipSync],
  ['br', zlib.brotliDecompressSync],
  ...zstdOfRuntime()
])

function zstdOfRuntime (): Array<[string, Expand]> {
  const expand: unknown = Reflect.get(zlib, 'zstdDecompressSync')
  return isExpand(expand) ? [['zstd', expand]] : []
}

function isExpand (value: unknown): value is Expand {
  return typeof value === 'function'
}

interface Bare {
  status: number
  headers: Record<string, string | string[] | undefined>
  bytes: Buffer
}

async function bare (url: string, accept: string | undefined, method: 'GET' | 'HEAD' = 'GET'): Promise<Bare> {
  const headers = accept === undefined ? {} : { 'accept-encoding': accept }
  const { statusCode, headers: answered, body } = await httpRequest(url, { method, headers })
  return { status: statusCode, headers: answered, bytes: Buffer.from(await body.arrayBuffer()) }
}

const stream = await on.newStream(t)
const lines = Array.from({ length: 5000 }, (_, n) => `{"n":${n},"text":"a line of some length, the same again"}`)
await on.request('POST', `/v1/streams/${stream}/messages/lines`, {
  headers: { 'content-type': 'application/x-ndjson' },
  body: lines.join('\n')
})
const path = `/v1/streams/${stream}/messages`
const READS = [`${path}?limit=5000`, `${path}/lines?limit=5000&maxBytes=1000000`, `${path}?limit=20`, '/openapi.json']

t.test('an answer is compressed as the client prefers, and is the same when it is expanded', async (t) => {
  for (const read of READS) {
    const plain = await bare(off.url + read, undefined)
    for (const [coding, expand] of EXPAND) {
      const { status, headers, bytes } = await bare(on.url + read, coding)
      t.equal(status, 200)
      t.equal(headers['content-encoding'], coding, read)
      t.equal(headers['vary'], 'Accept-Encoding')
      t.equal(headers['content-length'], undefined)
      t.ok(bytes.length < plain.bytes.length / 2)
      t.ok(expand(bytes).equals(plain.bytes), `${read} ${coding}`)
      for (const name of ['content-type', 'stream-next-offset', 'link', 'x-content-type-options']) {
        t.equal(headers[name], plain.headers[name])
      }
    }
  }
})

t.test('HEAD has the headers of GET, and no body', async (t) => {
  const read = on.url + `${path}?limit=5000`
  const compressed = await bare(read, 'gzip', 'HEAD')
  t.match(compressed.headers, { 'content-encoding': 'gzip', vary: 'Accept-Encoding' })
  t.equal(compressed.headers['content-length'], undefined)
  t.equal(compressed.bytes.length, 0)
  const plain = await bare(read, undefined, 'HEAD')
  t.equal(plain.headers['content-encoding'], undefined)
  t.equal(Number(plain.headers['content-length']), (await bare(read, undefined)).bytes.length)
})

t.test('an answer stays as it is where the client does not ask, and where it is small', async (t) => {
  const read = on.url + `${path}?limit=5000`
  for (const accept of [undefined, '', 'identity', 'compress', 'gzip;q=0', '*;q=0', 'identity;q=1, gzip;q=0.5']) {
    const { headers, bytes } = await bare(read, accept)
    t.equal(headers['content-encoding'], undefined, String(accept))
    t.equal(headers['vary'], 'Accept-Encoding')
    t.equal(Number(headers['content-length']), bytes.length)
  }
  const small = await bare(on.url + `${path}?limit=1`, 'gzip')
  t.equal(small.headers['content-encoding'], undefined)
  t.equal(small.headers['vary'], 'Accept-Encoding', 'its next answer may be large')
})

t.test('a body that is compressed already stays as it is', async (t) => {
  const other = await on.newStream(t)
  for (const [offset, type] of ['image/png', 'application/octet-stream', 'application/gzip'].entries()) {
    const headers = { 'content-type': type }
    await on.request('POST', `/v1/streams/${other}/messages/raw`, { headers, body: Buffer.alloc(5000) })
    const raw = await bare(on.url + `/v1/streams/${other}/messages/${offset}/raw`, 'gzip')
    t.equal(raw.headers['content-encoding'], undefined, type)
    t.equal(raw.headers['content-length'], '5000')
  }
})

t.test('without the setting nothing is compressed', async (t) => {
  const { headers } = await bare(off.url + `${path}?limit=5000`, 'gzip, br')
  t.equal(headers['content-encoding'], undefined)
  t.equal(headers['vary'], undefined)
})

t.test('beyond 64 answers that are being compressed, further ones leave as they are', async (t) => {
  const app = fastify()
  await app.register(proxies, { pathPrefix: '', trustedProxies: [] })
  await app.register(requests)
  await app.register(compression, { compressResponses: true })
  const slow = new Set<Readable>()
  app.get('/slow', async (_request, reply) => {
    const stream = new Readable({ read () {} })
    slow.add(stream)
    return await reply.type('text/plain').header('content-length', 5000).send(stream)
  })
  app.get('/', async (_request, reply) => await reply.type('text/plain').send('x'.repeat(5000)))
  t.teardown(async () => { await app.close() })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const codingNow = async () => (await bare(url, 'gzip')).headers['content-encoding']
  t.equal(await codingNow(), 'gzip')
  const answers = Array.from({ length: 64 }, async () => await bare(`${url}/slow`, 'gzip'))
  await until('all are under way', async () => slow.size === 64)
  t.equal(await codingNow(), undefined)
  for (const stream of slow) {
    stream.push('y'.repeat(5000))
    stream.push(null)
  }
  for (const { bytes } of await Promise.all(answers)) t.equal(zlib.gunzipSync(bytes).length, 5000)
  await until('answers are compressed again', async () => await codingNow() === 'gzip')
})

t.test('a client that leaves in the middle of a compressed answer leaves nothing behind', async (t) => {
  const large = await on.newStream(t)
  const hex = Array.from({ length: 200 }, () => `${randomBytes(30_000).toString('hex')}\n`).join('')
  await on.request('POST', `/v1/streams/${large}/messages/lines`, { body: hex })
  const socket = connect(on.port, '127.0.0.1')
  t.teardown(() => { socket.destroy() })
  const read = `/v1/streams/${large}/messages/lines?limit=200&maxBytes=16000000`
  socket.write(`GET ${read} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n`)
  await once(socket, 'data')
  socket.destroy()
  await until('the client is noticed', async () => on.log.some(({ status }) => status === 'client gone'))
  t.equal((await bare(on.url + read, 'gzip')).headers['content-encoding'], 'gzip')
  t.same(on.log.filter(({ level }) => Number(level) >= 40), [], 'which is no fault')
})

t.test('of the codings that a client accepts the one with the highest weight is chosen', async (t) => {
  const offered = ['zstd', 'br', 'gzip'] as const
  for (const [accept, coding] of [
    ['gzip, deflate, br', 'br'],
    ['gzip, deflate, br, zstd', 'zstd'],
    ['GZIP', 'gzip'],
    ['br;q=0.5, gzip', 'gzip'],
    ['*', 'zstd'],
    ['zstd;q=0, *', 'br'],
    ['gzip;q=0.1, identity;q=0.2', undefined],
    ['gzip;q=0.2, identity;q=0.1', 'gzip'],
    ['gzip, identity', 'gzip'],
    ['identity;q=0', undefined],
    ['x', undefined],
    ['', undefined],
    [undefined, undefined]
  ] as const) {
    t.equal(negotiateCoding(accept, offered), coding, String(accept))
  }
})
