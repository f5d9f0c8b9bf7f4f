import { setTimeout as delay } from 'node:timers/promises'
import { once } from 'node:events'
import t from 'tap'
import { badAt, consumerOf } from '../support/consumer-requests.ts'
import { startGateway } from '../support/gateway.ts'
import { openRaw } from '../support/raw-http.ts'
import { until } from '../support/until.ts'
import { exactly } from '../support/exactly.ts'

const gateway = await startGateway(t)

const { offsetPath, offsetOf, read, reset, store } = consumerOf(gateway)

t.test('the first read fixes the place, and what comes after it is never skipped', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 1, 2, 3)
  const path = `/v1/streams/${stream}/consumers/new/messages`
  t.match((await gateway.get(`${path}?from=next`)).json, { messages: exactly(), nextOffset: 3, commitOffset: null })
  t.match((await gateway.get(offsetPath(stream, 'new'))).json, { storedOffset: 2, nextOffset: 3, lag: 0, state: 'ok' })
  await gateway.publish(stream, 'm1')
  for (let time = 0; time < 2; time++) {
    const { json } = await gateway.get(`${path}?from=next`)
    t.match(json, { messages: exactly({ body: 'm1' }) }, 'until it is committed')
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

t.test('a new consumer starts at a time, and stays where it started', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 'long before', 'before')
  await delay(20)
  const time = new Date().toISOString()
  await delay(20)
  await gateway.publish(stream, 'after', 'later')
  const path = `/v1/streams/${stream}/consumers/by-time/messages?limit=1`
  const from = `from=${encodeURIComponent(time.replace('Z', '+00:00'))}`
  t.match((await gateway.get(`${path}&${from}`)).json, { messages: exactly({ offset: 2, body: 'after' }) })
  t.match((await gateway.get(path)).json, { messages: exactly({ offset: 2 }) }, 'its place is stored')
  await gateway.get(`${path}&${from}&commit=2`)
  t.match((await gateway.get(`${path}&${from}`)).json, { messages: exactly({ offset: 3 }) }, 'only without an offset')
  const future = `/v1/streams/${stream}/consumers/in-future/messages?from=2999-01-01T00:00:00Z`
  t.match((await gateway.get(future)).json, { messages: exactly() })
  for (const bad of ['2026-02-30T00:00:00Z', '2026-01-31', 'yesterday', '-1']) {
    const { json } = await gateway.get(`/v1/streams/${stream}/consumers/c/messages?from=${bad}`)
    t.match(json, badAt('/query/from'), bad)
  }
})
