import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { canCompress } from '../../src/streams/index.ts'
import { none, open } from '../integration/open-connection.ts'
import { exactly } from '../support/exactly.ts'
import { startGateway, type Answer, type RequestOptions } from '../support/gateway.ts'
import { until } from '../support/until.ts'

const gateway = await startGateway(t)
const KIB = 1024

async function publishLines (stream: string, body: RequestOptions['body'], query: string): Promise<Answer> {
  return await gateway.request('POST', `/v1/streams/${stream}/messages/lines?${query}`, { body })
}

async function publishNdjson (stream: string, body: RequestOptions['body'], query: string): Promise<Answer> {
  const headers = { 'content-type': 'application/x-ndjson' }
  return await gateway.request('POST', `/v1/streams/${stream}/messages?${query}`, { headers, body })
}

/** All messages as lines. */
async function readLines (stream: string): Promise<string> {
  let text = ''
  for (let offset = 0, isEnd = false; !isEnd;) {
    const { headers, text: more } = await gateway.get(
      `/v1/streams/${stream}/messages/lines?limit=10000&maxBytes=1000000&offset=${offset}`
    )
    text += more
    isEnd = more === '' || headers['stream-end-of-stream'] === 'true'
    offset = Number(headers['stream-next-offset'])
  }
  return text
}

/** What the broker has stored, as its chunks say. */
async function stored (t: Test, stream: string, messages: number) {
  const { connection, chunks } = await open(t)
  const total = { messages: 0, entries: 0, bytes: 0, compressions: new Set<number>(), largest: 0 }
  await connection.subscribe(0, stream, { type: 'first' }, 10, none)
  while (total.messages < messages) {
    const { chunk } = await chunks.take()
    connection.credit(0, 1)
    total.messages += chunk.recordCount
    total.entries += chunk.entryCount
    total.bytes += chunk.data.length
    for (const entry = chunk.entries(); entry.next();) {
      total.compressions.add(entry.compression)
      total.largest = Math.max(total.largest, entry.recordCount)
    }
  }
  await connection.close()
  return total
}

function order (n: number): string {
  return `{"id":${n},"type":"order","isPaid":true,"total":${n % 97}.5,"note":"sent to Berlin"}`
}

function text (lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('')
}

t.test('compressed lines are stored in few entries, and read as they were sent, in their order', async (t) => {
  const stream = await gateway.newStream(t)
  const body = text(Array.from({ length: 20_000 }, (_, n) => order(n)))
  t.match(await publishLines(stream, body, 'compression=gzip'), { status: 200, json: { confirmed: 20_000 } })
  t.equal(await readLines(stream), body)
  const { messages, entries, bytes, compressions, largest } = await stored(t, stream, 20_000)
  t.equal(messages, 20_000)
  t.ok(entries >= 20 && entries <= 60, `${entries} entries`)
  t.ok(bytes < body.length / 4, `${bytes} bytes`)
  t.same([...compressions], [1])
  t.equal(largest, 1000)
})

t.test('zstd is stored where Node.js has it, and refused where not', async (t) => {
  const stream = await gateway.newStream(t)
  const body = text(Array.from({ length: 2000 }, (_, n) => order(n)))
  const { status, json } = await publishLines(stream, body, 'compression=zstd')
  if (canCompress('zstd')) {
    t.same(json, { confirmed: 2000, duplicates: 0 })
    t.equal(await readLines(stream), body)
    t.same([...(await stored(t, stream, 2000)).compressions], [4])
  } else {
    t.equal(status, 400)
    t.match(json, { errors: exactly({ pointer: '/query/compression', message: /Node\.js 22\.15/ }) })
  }
})

t.test('compression=none is the same as no compression', async (t) => {
  const stream = await gateway.newStream(t)
  const body = text(Array.from({ length: 50 }, (_, n) => order(n)))
  t.match(await publishLines(stream, body, 'compression=none&filterValue=a'), { status: 200, json: { confirmed: 50 } })
  t.match(await gateway.request('POST', `/v1/streams/${stream}/messages?compression=none`, {
    json: { messages: [{ body: 1 }] }
  }), { status: 200 })
  t.match(await stored(t, stream, 51), { messages: 51, entries: 51 })
})

t.test('messages that do not become smaller are entries of their own', async (t) => {
  const stream = await gateway.newStream(t)
  const lines = Array.from({ length: 2 }, () => randomBytes(20_000).toString('latin1').replaceAll('\n', ' '))
  const body = Buffer.from(text(lines), 'latin1')
  t.match(await publishLines(stream, body, 'compression=gzip'), { status: 200, json: { confirmed: 2 } })
  t.match(await publishLines(stream, 'x', 'compression=gzip'), { status: 200, json: { confirmed: 1 } })
  t.match(await stored(t, stream, 3), { messages: 3, entries: 3 })
  const { bytes } = await gateway.get(`/v1/streams/${stream}/messages/lines`)
  t.same(bytes, Buffer.concat([body, Buffer.from('x\n')]))
})

t.test('compressed NDJSON keeps properties, and an empty body is no message', async (t) => {
  const stream = await gateway.newStream(t)
  const messages = Array.from({ length: 300 }, (_, n) => ({ body: { n }, properties: { subject: `s-${n}` } }))
  const body = text(messages.map((message) => JSON.stringify(message)))
  t.same((await publishNdjson(stream, body, 'compression=gzip')).json, { confirmed: 300, duplicates: 0 })
  t.same((await publishNdjson(stream, '\n\n', 'compression=gzip')).json, { confirmed: 0, duplicates: 0 })
  const { json } = await gateway.get(`/v1/streams/${stream}/messages?limit=1000`)
  t.match(json, { messages: exactly(...messages.map((message, offset) => ({ offset, ...message }))) })
  t.match(await stored(t, stream, 300), { entries: 1, messages: 300 })
})

t.test('what does not go together with compression is refused before anything is stored', async (t) => {
  const stream = await gateway.newStream(t)
  const cases: Array<[string, string, RegExp]> = [
    ['/lines?compression=gzip&publisher=p&firstPublishingId=1', 'text/plain', /publisher/],
    ['/lines?compression=gzip&filterValue=a', 'text/plain', /filterValue/],
    ['/lines?compression=lz4', 'text/plain', /one of none, gzip, zstd/],
    ['?compression=gzip&publisher=p', 'application/x-ndjson', /publisher/],
    ['?compression=gzip', 'application/json', /body of lines/],
    ['/raw?compression=gzip', 'text/plain', /compression|unknown|additional/]
  ]
  for (const [path, type, message] of cases) {
    const { status, json } = await gateway.request('POST', `/v1/streams/${stream}/messages${path}`, {
      headers: { 'content-type': type }, body: '{"messages":[]}'
    })
    t.equal(status, 400, path)
    t.match(json, { code: /validation_failed/, errors: exactly({ pointer: '/query/compression', message }) }, path)
  }
  t.equal(await readLines(stream), '')
})

t.test('lines before a bad one are published, and the answer says so', async (t) => {
  const stream = await gateway.newStream(t)
  const good = Array.from({ length: 1500 }, (_, n) => JSON.stringify({ body: n }))
  const cases: Array<[string, string]> = [
    ['{"body":1,"filterValue":"a"}', '/1500/filterValue'],
    ['{"body":1,"publishingId":7}', '/1500/publishingId'],
    ['{', '/1500']
  ]
  for (const [bad, pointer] of cases) {
    const { status, json } = await publishNdjson(stream, text([...good, bad, '{"body":"after"}']), 'compression=gzip')
    t.equal(status, 400)
    t.match(json, { sideEffects: 'possible', published: { confirmed: 1500 }, errors: exactly({ pointer }) })
  }
  t.match(await stored(t, stream, 4500), { messages: 4500 })
  t.equal((await readLines(stream)).split('\n').length, 4501)
})

t.test('a message that does not fit into a frame is named by its place in the request', async (t) => {
  const stream = await gateway.newStream(t)
  const fits = 'x'.repeat(900 * KIB)
  const body = text([...Array.from({ length: 3000 }, (_, n) => order(n)), fits, 'y'.repeat(1100 * KIB)])
  const { status, json } = await publishLines(stream, body, 'compression=gzip')
  t.equal(status, 413)
  t.match(json, { code: 'payload_too_large', index: 3001, published: { confirmed: 3001 } })
  const { entries, messages, bytes } = await stored(t, stream, 3001)
  t.equal(messages, 3001)
  t.ok(entries < 20, 'a large message is compressed, alone')
  t.ok(bytes < fits.length / 2)
})

t.test('a stream that does not exist is said to be that', async (t) => {
  const { status, json } = await publishLines('absent', 'a\n', 'compression=gzip')
  t.equal(status, 404)
  t.match(json, { code: 'stream_not_found', sideEffects: 'none', published: undefined })
})

t.test('messages of a slow body are stored while it arrives', async (t) => {
  const stream = await gateway.newStream(t)
  let isSeen = false
  async function * slow () {
    yield Buffer.from('first\nsecond\n')
    await until('the first lines are stored', async () => (await readLines(stream)) === 'first\nsecond\n')
    isSeen = true
    yield Buffer.from('third\n')
    await delay(150)
    yield Buffer.from('fourth')
  }
  t.same((await publishLines(stream, slow(), 'compression=gzip')).json, { confirmed: 4, duplicates: 0 })
  t.ok(isSeen)
  t.equal(await readLines(stream), 'first\nsecond\nthird\nfourth\n')
})

t.test('many compressed requests at once keep their order, each, beside plain ones', async (t) => {
  const stream = await gateway.newStream(t)
  const request = async (name: string) => await publishLines(
    stream,
    text(Array.from({ length: 3000 }, (_, n) => `${name}:${n}:${'-'.repeat(n % 50)}`)),
    name.startsWith('plain') ? '' : 'compression=gzip'
  )
  const names = Array.from({ length: 12 }, (_, n) => `${n % 3 === 0 ? 'plain' : 'gzip'}${n}`)
  for (const { json } of await Promise.all(names.map(request))) t.same(json, { confirmed: 3000, duplicates: 0 })
  const seen = new Map<string, number>()
  for (const line of (await readLines(stream)).split('\n').slice(0, -1)) {
    const [name = '', n] = line.split(':')
    if (Number(n) !== (seen.get(name) ?? 0)) t.fail(`${line} after ${seen.get(name)}`)
    seen.set(name, Number(n) + 1)
  }
  t.same([...seen.values()], names.map(() => 3000))
})
