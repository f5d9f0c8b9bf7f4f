import t from 'tap'
import { badAt, consumerOf } from '../support/consumer-requests.ts'
import { startGateway } from '../support/gateway.ts'
import { exactly } from '../support/exactly.ts'

const gateway = await startGateway(t)

const { offsetPath, offsetOf, read, reset, store } = consumerOf(gateway)

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
  const bare = [
    [3, '{"to": {"offset": 3}}'], ['3', '{"to": {"offset": 3}}'],
    ['2026-01-31T12:00:00Z', '{"to": {"timestamp": "2026-01-31T12:00:00Z"}}']
  ] as const
  for (const [to, right] of bare) {
    t.ok((await reset('any', to)).text.includes(JSON.stringify(right).slice(1, -1)), right)
  }
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
