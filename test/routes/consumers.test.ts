import { once } from 'node:events'
import t from 'tap'
import { startGateway, type Answer } from '../support/gateway.ts'
import { openRaw } from '../support/raw-http.ts'
import { until } from '../support/until.ts'
import { exactly } from '../support/exactly.ts'

const gateway = await startGateway(t)

/** What a request with one fault is answered. */
const badAt = (pointer: string): object => ({ status: 400, code: 'validation_failed', errors: exactly({ pointer }) })
const offsetPath = (stream: string, consumer = 'my-app') => `/v1/streams/${stream}/consumers/${consumer}/offset`

async function store (stream: string, json: unknown, consumer?: string): Promise<Answer> {
  return await gateway.request('PUT', offsetPath(stream, consumer), { json })
}

async function reset (stream: string, to: unknown): Promise<Answer> {
  return await gateway.request('POST', `${offsetPath(stream)}/reset`, { json: { to } })
}

async function read (stream: string, query = ''): Promise<Answer> {
  return await gateway.get(`/v1/streams/${stream}/consumers/my-app/messages${query}`)
}

async function offsetOf (stream: string): Promise<unknown> {
  return (await gateway.get(offsetPath(stream))).json
}

t.test('a consumer without an offset is not found, and reads from the first message', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 1, 2, 3)
  t.match(await offsetOf(stream), { status: 404, code: 'consumer_offset_not_found' })
  t.match((await read(stream)).json, { messages: exactly({ offset: 0 }, { offset: 1 }, { offset: 2 }), nextOffset: 3 })
  t.match(await offsetOf(stream), { status: 404 }, 'a read from the first message stores nothing')
  for (const [from, offsets] of [['last', [2]], ['1', [0, 1, 2]], ['2', [2]], ['next', []]] as const) {
    const { json } = await gateway.get(`/v1/streams/${stream}/consumers/from-${from}/messages?from=${from}`)
    t.match(json, { messages: exactly(...offsets.map((offset) => ({ offset }))) }, from)
  }
})

t.test('the first read fixes the place, and what comes after it is never skipped', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 1, 2, 3)
  const path = `/v1/streams/${stream}/consumers/new/messages`
  t.match((await gateway.get(`${path}?from=next`)).json, { messages: exactly(), nextOffset: 3, commitOffset: null })
  t.match((await gateway.get(offsetPath(stream, 'new'))).json, { storedOffset: 2, nextOffset: 3, lag: 0, state: 'ok' })
  await gateway.publish(stream, 'm1')
  for (let time = 0; time < 2; time++) {
    t.match((await gateway.get(`${path}?from=next`)).json, { messages: exactly({ body: 'm1' }) }, 'until it is committed')
  }
  const beyond = await gateway.get(`/v1/streams/${stream}/consumers/beyond/messages?from=1000`)
  t.match(beyond.json, { status: 416, code: 'offset_out_of_range' })
  t.match((await gateway.get(offsetPath(stream, 'beyond'))).json, { status: 404 }, 'no place beyond the end is stored')
})

t.test('commitOffset is what the next read passes on, and covers records of the broker', async (t) => {
  const stream = await gateway.newStream(t)
  t.match((await read(stream)).json, { messages: exactly(), commitOffset: null })
  await gateway.publish(stream, 1)
  await store(stream, { offset: 0 }, 'other') // takes records behind the first message
  await gateway.publish(stream, 2, 3)
  const { json, headers } = await read(stream, '?limit=1')
  t.match(json, { messages: exactly({ body: 1 }), nextOffset: 1, commitOffset: 0 })
  t.equal(headers['stream-commit-offset'], '0')
  t.match((await read(stream, '?limit=1&commit=0')).json, { messages: exactly({ body: 2 }), commitOffset: 3 })
  t.match((await read(stream, '?commit=3')).json, { messages: exactly({ body: 3 }), commitOffset: 4 })
  const last = await read(stream, '?commit=4')
  t.match(last.json, { messages: exactly(), commitOffset: null }, 'the record of the commit is nothing to commit')
  t.equal(last.headers['stream-commit-offset'], undefined)
})

t.test('a stream with one message delivers it once, whatever commits it', async (t) => {
  const commits: Array<(stream: string) => Promise<unknown>> = [
    async (stream) => await read(stream, '?commit=0'),
    async (stream) => await store(stream, { offset: 0 }),
    async (stream) => await read(stream, '?autoCommit=true'),
    async (stream) => await read(stream, '?autoCommit=true&limit=1&wait=1')
  ]
  const other = await startGateway(t)
  for (const commit of commits) {
    const stream = await gateway.newStream(t)
    await gateway.publish(stream, 'welcome')
    await commit(stream)
    const path = `/v1/streams/${stream}/consumers/my-app/messages`
    t.match((await other.get(path)).json, { messages: exactly() }, 'no memory of the first gateway is needed')
    t.match(await offsetOf(stream), { storedOffset: 1, nextOffset: 2, lag: 0 })
    t.match((await store(stream, { offset: 0 })).json, { storedOffset: 1 }, 'the same commit again changes nothing')
    t.match((await store(stream, { offset: 0, expected: 0 })).json, { storedOffset: 1 })
    await gateway.publish(stream, 'second')
    t.match((await other.get(path)).json, { messages: exactly({ body: 'second' }) })
    await reset(stream, 'first')
    t.match((await other.get(`${path}?limit=1`)).json, { messages: exactly({ body: 'welcome' }) })
  }
})

t.test('a stored offset is the offset of the last message processed', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 1, 2, 3)
  t.same((await store(stream, { offset: 1 })).json, { storedOffset: 1, nextOffset: 2 })
  const stored = { storedOffset: 1, nextOffset: 2, firstOffset: 0, lastOffset: 2, lag: 1 }
  t.match(await offsetOf(stream), stored)
  t.match((await read(stream)).json, { messages: exactly({ offset: 2 }) })
  t.same((await store(stream, { offset: 2 })).json, { storedOffset: 2, nextOffset: 3 })
  t.match(await offsetOf(stream), { lag: 0 }, 'although the broker stores offsets in the stream')
})

t.test('a stored offset goes neither back nor beyond the end nor over what was expected', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 1, 2, 3)
  await store(stream, { offset: 1 })
  t.match((await store(stream, { offset: 0 })).json, { status: 409, code: 'offset_goes_back', storedOffset: 1 })
  t.match((await store(stream, { offset: 1000 })).json, { status: 422, code: 'offset_beyond_end' })
  const unexpected = { status: 412, code: 'expectation_failed', storedOffset: 1 }
  t.match((await store(stream, { offset: 2, expected: 0 })).json, unexpected)
  t.match((await store(stream, { offset: 2, expected: 1 })).json, { storedOffset: 2 })
  t.match((await store(stream, { offset: 2, expected: null })).json, { status: 412, storedOffset: 2 })
  t.match((await store(stream, { offset: 2, expected: null }, 'another')).json, { storedOffset: 2 })
})

t.test('a request that does not name an offset to store is refused', async (t) => {
  const cases: Array<[unknown, string]> = [
    [{}, '/offset'],
    [{ offset: '1' }, '/offset'],
    [{ offset: -1 }, '/offset'],
    [{ offset: 1.5 }, '/offset'],
    [{ offset: 2 ** 53 }, '/offset'],
    [{ offset: null }, '/offset'],
    [{ offset: 1, expect: 0 }, '/expect'],
    [[], '']
  ]
  for (const [json, pointer] of cases) {
    t.match((await store('any', json)).json, badAt(pointer), JSON.stringify(json))
  }
  t.match((await gateway.request('PUT', '/v1/streams/any/consumers/c/offset')).json, { status: 400 })
  for (const consumer of ['a%0A', 'x'.repeat(256), '%C3%A9'.repeat(128)]) {
    const { json } = await store('any', { offset: 0 }, consumer)
    t.match(json, { status: 400, code: 'validation_failed' }, consumer.slice(0, 10))
  }
  t.match((await store('there-is-none', { offset: 0 })).json, { status: 404, code: 'stream_not_found' })
})

t.test('a reset names the next message to be delivered', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 1, 2, 3)
  await store(stream, { offset: 2 })
  const first = (await gateway.get(`/v1/streams/${stream}/messages/0`)).json
  const time = typeof first === 'object' && first !== null && 'timestamp' in first ? first.timestamp : ''
  const cases = [['first', 0], ['last', 2], [{ offset: 2 }, 2], [{ offset: 0 }, 0], [{ timestamp: time }, 0]] as const
  for (const [to, next] of cases) {
    t.equal((await reset(stream, to)).status, 200, JSON.stringify(to))
    t.match((await read(stream, '?limit=1')).json, { messages: exactly({ offset: next }) }, JSON.stringify(to))
  }
  await reset(stream, 'next')
  t.match((await read(stream)).json, { messages: exactly() })
  t.match((await reset(stream, { offset: 1000 })).json, { status: 422, code: 'offset_beyond_end' })
})

t.test('a reset to what is not a position is refused', async (t) => {
  const badPositions = [
    'frist', 5, null, {}, { offset: -1 }, { offset: 1, timestamp: '2026-01-01T00:00:00Z' },
    { timestamp: '2026-02-30T00:00:00Z' }, { timestamp: 5 }
  ]
  for (const to of badPositions) {
    t.match((await reset('any', to)).json, badAt('/to'), JSON.stringify(to))
  }
})

t.test('a commit with the next read makes one round trip for each batch', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 1, 2, 3)
  t.match((await read(stream, '?limit=1')).json, { messages: exactly({ offset: 0 }) })
  t.match((await read(stream, '?limit=1')).json, { messages: exactly({ offset: 0 }) }, 'nothing was committed')
  t.match((await read(stream, '?limit=1&commit=1')).json, { messages: exactly({ offset: 2 }) })
  t.match((await read(stream, '?commit=0')).json, { status: 409, code: 'offset_goes_back' })
  t.match((await read(stream, '?commit=1000')).json, { status: 422, code: 'offset_beyond_end' })
})

t.test('a commit with the next read that expects what is stored does not undo a reset', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 1, 2, 3, 4)
  t.match((await read(stream, '?limit=1&commit=1')).json, { messages: exactly({ offset: 2 }) })
  t.match((await read(stream, '?limit=1&commit=2&expected=1')).json, { messages: exactly({ offset: 3 }) })
  await reset(stream, { offset: 1 })
  const unexpected = { status: 412, code: 'expectation_failed', sideEffects: 'none', storedOffset: 0 }
  t.match((await read(stream, '?commit=3&expected=2')).json, unexpected)
  t.match((await read(stream, '?limit=2')).json, { messages: exactly({ offset: 0 }, { offset: 1 }) })
  t.match((await read(stream, '?expected=2')).json, badAt('/query/expected'))
})

t.test('autoCommit stores what was delivered, before the next read', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, ...Array.from({ length: 20 }, (_, n) => n))
  const seen: number[] = []
  for (let n = 0; n < 10; n++) {
    const { text } = await read(stream, '?limit=2&autoCommit=true')
    seen.push(...Array.from(text.matchAll(/"offset":(\d+)/g), ([, offset]) => Number(offset)))
  }
  t.same(seen, Array.from({ length: 20 }, (_, n) => n), 'each message once')
  t.match((await read(stream, '?autoCommit=true')).json, { messages: exactly(), endOfStream: true })
  t.match(await offsetOf(stream), { storedOffset: 19, lag: 0 })
  for (const bad of ['yes', '1', 'TRUE', '']) {
    t.match((await read(stream, `?autoCommit=${bad}`)).json, badAt('/query/autoCommit'), bad)
  }
})

t.test('an answer with autoCommit that was cut off does not come again', async (t) => {
  const stream = await gateway.newStream(t)
  for (let n = 0; n < 16; n++) {
    await gateway.request('POST', `/v1/streams/${stream}/messages/raw`, { body: Buffer.alloc(900_000, 'x') })
  }
  const path = `/v1/streams/${stream}/consumers/cut/messages`
  const { send, socket } = await openRaw(t, gateway.port)
  send(`GET ${path}?autoCommit=true&maxBytes=16000000 HTTP/1.1\r\nHost: x\r\n\r\n`)
  const lines = (): typeof gateway.log => gateway.log.filter(({ msg, operationId, stream: of }) => {
    return msg === 'request' && operationId === 'readAsConsumer' && of === stream
  })
  await once(socket, 'data') // the first of it; most of it does not fit into the buffers on the way
  socket.resetAndDestroy()
  await until('the gateway has noticed', () => lines().length === 1)
  t.match(lines(), exactly({ status: 'client gone' }))
  t.match((await gateway.get(`${path}?limit=1`)).json, { messages: exactly(), endOfStream: true })
})

t.test('reads of one name with autoCommit never get the same message, with and without waiting', async (t) => {
  const stream = await gateway.newStream(t)
  const bodies = Array.from({ length: 60 }, (_, n) => n)
  await gateway.publish(stream, ...bodies.slice(0, 40))
  const seen: unknown[] = []
  const readAll = async (query: string): Promise<void> => {
    const { json } = await read(stream, `?autoCommit=true&limit=5${query}`)
    if (typeof json === 'object' && json !== null && 'messages' in json && Array.isArray(json.messages)) {
      seen.push(...json.messages.map(({ body }: { body: unknown }) => body))
    }
  }
  await Promise.all(Array.from({ length: 8 }, async () => await readAll('')))
  t.equal((await gateway.get(offsetPath(stream))).status, 200)
  const waiting = Array.from({ length: 4 }, async () => await readAll('&wait=20'))
  t.match((await store(stream, { offset: 39 })).json, { storedOffset: 39 }, 'a waiting read does not block a commit')
  for (let n = 40; n < 60; n += 5) await gateway.publish(stream, ...bodies.slice(n, n + 5))
  await Promise.all(waiting)
  for (let n = 0; n < 4; n++) await readAll('')
  t.same(seen.toSorted((a, b) => Number(a) - Number(b)), bodies)
})

t.test('HEAD stores no offset', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 1)
  const path = `/v1/streams/${stream}/consumers/my-app/messages?autoCommit=true`
  t.equal((await gateway.request('HEAD', path)).status, 405)
})

t.test('consumers and publishers are listed with what the broker keeps of them', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 1, 2)
  await store(stream, { offset: 0 }, 'one')
  await store(stream, { offset: 1 }, 'two%2Fslash')
  const named = `/v1/streams/${stream}/messages/lines?publisher=p&firstPublishingId=7`
  await gateway.request('POST', named, { body: 'x\n' })
  t.match((await gateway.get(`/v1/streams/${stream}/consumers`)).json, {
    consumers: exactly(
      { name: 'one', storedOffset: 0, nextOffset: 1 },
      { name: 'two/slash', storedOffset: 1, nextOffset: 2 }
    ),
    sources: { management: 'ok', instance: 'ok' }
  })
  t.match((await gateway.get(`/v1/streams/${stream}/publishers`)).json, {
    publishers: exactly({ name: 'p', lastPublishingId: 7 }),
    sources: { management: 'ok' }
  })
  t.same((await gateway.get(`/v1/streams/${stream}/publishers/p`)).json, { name: 'p', lastPublishingId: 7 })
  t.same((await gateway.get(`/v1/streams/${stream}/publishers/nobody`)).json, { name: 'nobody', lastPublishingId: 0 })
  t.match((await gateway.get('/v1/streams/there-is-none/consumers')).json, { status: 404, code: 'stream_not_found' })
})

t.test('without a management API a list says that it is partial', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 1)
  await store(stream, { offset: 0 })
  const other = await startGateway(t, { RABBITMQ_MANAGEMENT_URL: '' })
  const partial = await other.get(`/v1/streams/${stream}/consumers`)
  t.match(partial.json, { consumers: exactly(), sources: { management: 'not_configured' } })
  await other.get(offsetPath(stream))
  const { json } = await other.get(`/v1/streams/${stream}/consumers`)
  t.match(json, { consumers: exactly({ name: 'my-app', storedOffset: 1 }) }, 'it knows those it has served')
})
