import t, { type Test } from 'tap'
import { QUICKLY_IDLE, untilNothingIsLeft } from '../support/leftovers.ts'
import { startGateway, type Answer, type Gateway } from '../support/gateway.ts'
import { exactly } from '../support/exactly.ts'

t.setTimeout(120_000)

const gateway = await startGateway(t, QUICKLY_IDLE)
// Somebody else, who deletes streams and creates them anew behind the gateway's back.
const other = await startGateway(t)

async function recreate (stream: string): Promise<void> {
  for (const [method, status] of [['DELETE', 204], ['PUT', 201]] as const) {
    const answer = await other.request(method, `/v1/streams/${stream}`)
    if (answer.status !== status) throw new Error(`${method} answered ${answer.text}`)
  }
}

async function publishLines (gateway: Gateway, stream: string, lines: readonly string[], query = ''): Promise<Answer> {
  return await gateway.request('POST', `/v1/streams/${stream}/messages/lines${query}`, { body: lines.join('\n') })
}

async function linesOf (stream: string): Promise<string[]> {
  const { text } = await other.get(`/v1/streams/${stream}/messages/lines?limit=10000&maxBytes=16777216`)
  return text.split('\n').slice(0, -1)
}

/** Publishes until it is confirmed, as a client does that is told to try again. */
async function publishUntilConfirmed (t: Test, stream: string, line: string, query = ''): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const { status, json } = await publishLines(gateway, stream, [line], query)
    if (status === 200) {
      t.same(json, { confirmed: 1, duplicates: 0 })
      return
    }
    t.match(json, { retryable: true })
  }
  t.fail(`never confirmed: ${line}`)
}

t.test('after a stream was deleted and created anew, what is confirmed is in the new one', async (t) => {
  const stream = await gateway.newStream(t)
  for (let round = 0; round < 10; round++) {
    await publishUntilConfirmed(t, stream, `old ${round}`)
    await recreate(stream)
    await publishUntilConfirmed(t, stream, `new ${round}`)
    const stored = await linesOf(stream)
    t.equal(stored.filter((line) => line === `new ${round}`).length, 1)
    t.notOk(stored.includes(`old ${round}`))
  }
})

t.test('the ids of a publisher begin again with the stream', async (t) => {
  const stream = await gateway.newStream(t)
  for (let round = 0; round < 10; round++) {
    await publishUntilConfirmed(t, stream, 'old', '?publisher=p&firstPublishingId=100')
    t.match((await gateway.get(`/v1/streams/${stream}/publishers/p`)).json, { lastPublishingId: 100 })
    await recreate(stream)
    await publishUntilConfirmed(t, stream, 'first', '?publisher=p&firstPublishingId=1&expectedLastPublishingId=0')
    t.same(await linesOf(stream), ['first'], 'an id below the old last one is no duplicate')
    t.match((await gateway.get(`/v1/streams/${stream}/publishers/p`)).json, { lastPublishingId: 1 })
  }
})

t.test('a request that goes on over it has no duplicates in the new stream', async (t) => {
  const stream = await gateway.newStream(t)
  const lines = Array.from({ length: 3000 }, (_, index) => `${index}:${'x'.repeat(100)}`)
  t.match((await publishLines(gateway, stream, lines, '?publisher=p&firstPublishingId=1')).json, { confirmed: 3000 })
  // The first half are duplicates of the stream that is about to go; the second half comes when it is another one.
  async function * halves (): AsyncGenerator<Buffer> {
    yield Buffer.from(`${lines.slice(0, 1500).join('\n')}\n`)
    await new Promise((resolve) => setTimeout(resolve, 100))
    await recreate(stream)
    yield Buffer.from(lines.slice(1500).join('\n'))
  }
  const { status, json } = await gateway.request('POST', `/v1/streams/${stream}/messages/lines?publisher=p&firstPublishingId=1`, { body: halves() })
  const stored = await linesOf(stream)
  if (status !== 200) {
    t.match(json, { sideEffects: 'possible', retryable: true })
    return
  }
  t.same(json, { confirmed: 1500, duplicates: 1500 })
  t.same(stored, lines.slice(1500), 'what was confirmed is there')
})

t.test('no read answers with what the old stream had', async (t) => {
  const stream = await gateway.newStream(t)
  const path = `/v1/streams/${stream}/messages`
  for (let round = 0; round < 10; round++) {
    await publishLines(other, stream, [`old ${round}`, `old ${round}`])
    t.match((await gateway.get(`${path}?offset=0`)).json, { messages: exactly({ body: `old ${round}` }, {}), nextOffset: 2 })
    await recreate(stream)
    t.match((await gateway.get(`${path}?offset=2`)).json, { status: 416, firstOffset: 0, lastOffset: null }, 'it has no such offset')
    t.match((await gateway.get(`${path}?offset=last`)).json, { messages: exactly(), nextOffset: 0, endOfStream: true })
    await publishLines(other, stream, [`new ${round}`])
    t.match((await gateway.get(`${path}?offset=0`)).json, { messages: exactly({ offset: 0, body: `new ${round}` }), nextOffset: 1, endOfStream: true })
    t.match((await gateway.get(`/v1/streams/${stream}`)).json, { firstOffset: 0, nextOffset: 1 })
    await recreate(stream)
  }
})

t.test('a waiting poll is told of the deletion', async (t) => {
  const stream = await gateway.newStream(t)
  await publishLines(other, stream, ['old', 'old'])
  const waiting = gateway.get(`/v1/streams/${stream}/messages?offset=2&wait=20`)
  await untilWaiting()
  await other.request('DELETE', `/v1/streams/${stream}`)
  t.match((await waiting).json, { status: 404, code: 'stream_not_found' })
})

t.test('a waiting poll whose offset a new stream does not have is told so', async (t) => {
  const stream = await gateway.newStream(t)
  await publishLines(other, stream, ['old', 'old'])
  const waiting = gateway.get(`/v1/streams/${stream}/messages?offset=2&wait=20`)
  await untilWaiting()
  await recreate(stream)
  const { status, json } = await waiting
  if (status === 404) t.match(json, { code: 'stream_not_found' }, 'it looked between the two')
  else t.match(json, { status: 416, firstOffset: 0 })
})

t.test('a consumer begins anew with the stream, and its commits are checked against it', async (t) => {
  const stream = await gateway.newStream(t)
  const path = `/v1/streams/${stream}/consumers/c`
  for (let round = 0; round < 5; round++) {
    await publishLines(other, stream, ['a', 'b', 'c'])
    t.match((await gateway.get(`${path}/messages`)).json, { messages: exactly({ offset: 0 }, {}, {}) })
    t.match((await gateway.request('PUT', `${path}/offset`, { json: { offset: 2 } })).json, { storedOffset: 2 })
    await recreate(stream)
    t.match((await gateway.get(`${path}/offset`)).json, { status: 404, code: 'consumer_offset_not_found' })
    t.match((await gateway.request('PUT', `${path}/offset`, { json: { offset: 2 } })).json, { status: 422, code: 'offset_beyond_end' })
    await publishLines(other, stream, [`new ${round}`])
    t.match((await gateway.get(`${path}/messages`)).json, { messages: exactly({ offset: 0, body: `new ${round}` }), nextOffset: 1 })
    t.match((await gateway.request('PUT', `${path}/offset`, { json: { offset: 0 } })).json, { storedOffset: 0 })
    t.match((await other.get(`${path}/offset`)).json, { storedOffset: 0 })
    await recreate(stream)
  }
})

t.test('nothing is left over', async () => {
  await untilNothingIsLeft(gateway)
})

async function untilWaiting (): Promise<void> {
  while (gateway.app.broker.stats().readers === 0) await new Promise(setImmediate)
  await new Promise((resolve) => setTimeout(resolve, 100))
}
