import t, { type Test } from 'tap'
import { QUICKLY_IDLE, untilNothingIsLeft } from '../support/leftovers.ts'
import { startGateway, type Answer, type Gateway } from '../support/gateway.ts'
import { exactly } from '../support/exactly.ts'
import { until } from '../support/until.ts'
import { RecreatedStreamLoad } from './recreated-stream-load.ts'

t.setTimeout(120_000)

const gateway = await startGateway(t, QUICKLY_IDLE)
// Another gateway, through which streams are deleted and created anew without the knowledge of the first.
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

/** Publishes until the line is confirmed, as a client does that is told to try again. */
async function publishUntilConfirmed (t: Test, stream: string, line: string, query = ''): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const { status, json } = await publishLines(gateway, stream, [line], query)
    if (status === 200) {
      t.match(json, { confirmed: 1, duplicates: 0 })
      return
    }
    t.match(json, { retryable: true })
  }
  t.fail(`never confirmed: ${line}`)
}

t.test('what is confirmed after a stream was deleted and created anew is in the new stream', async (t) => {
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

t.test('the publishing ids of a publisher begin again with the stream', async (t) => {
  const stream = await gateway.newStream(t)
  for (let round = 0; round < 10; round++) {
    await publishUntilConfirmed(t, stream, 'old', '?publisher=p&firstPublishingId=100')
    t.match((await gateway.get(`/v1/streams/${stream}/publishers/p`)).json, { lastPublishingId: 100 })
    await recreate(stream)
    await publishUntilConfirmed(t, stream, 'first', '?publisher=p&firstPublishingId=1&expectedLastPublishingId=0')
    t.same(await linesOf(stream), ['first'], 'an id below the last one of the old stream is not a duplicate')
    t.match((await gateway.get(`/v1/streams/${stream}/publishers/p`)).json, { lastPublishingId: 1 })
  }
})

t.test('a request that continues while its stream is created anew has no duplicates in the new stream', async (t) => {
  const stream = await gateway.newStream(t)
  const lines = Array.from({ length: 3000 }, (_, index) => `${index}:${'x'.repeat(100)}`)
  t.match((await publishLines(gateway, stream, lines, '?publisher=p&firstPublishingId=1')).json, { confirmed: 3000 })
  // The first half are duplicates in the stream that is about to be deleted; the second half arrives in the new stream.
  async function * halves (): AsyncGenerator<Buffer> {
    yield Buffer.from(`${lines.slice(0, 1500).join('\n')}\n`)
    await new Promise((resolve) => setTimeout(resolve, 100)) // nothing shows when the gateway has sent them
    await recreate(stream)
    yield Buffer.from(lines.slice(1500).join('\n'))
  }
  const path = `/v1/streams/${stream}/messages/lines?publisher=p&firstPublishingId=1`
  const { status, json } = await gateway.request('POST', path, { body: halves() })
  const stored = await linesOf(stream)
  const { confirmed, duplicates, unknown = 0, results = [] } = outcomeOf(json)
  t.comment(`${status}: ${confirmed} confirmed, ${duplicates} duplicates, ${unknown} unknown, ${results.length} others`)
  if (status === 200) t.equal(confirmed + duplicates, 3000)
  else if (status >= 400) t.match(json, { sideEffects: 'possible', retryable: true })
  t.ok(duplicates <= 1500, 'no message of the second half is a duplicate')
  const unknowns = unknown + results.filter(({ status }) => status === 'unknown').length
  t.ok(stored.length >= confirmed && stored.length <= confirmed + unknowns, `${stored.length} are there`)
  const from = stored[0] === undefined ? duplicates : lines.indexOf(stored[0])
  t.ok(from >= duplicates && from <= 1500, `from number ${from} on`)
  t.same(stored, lines.slice(from, from + stored.length), 'each line once, and in order')
})

t.test('under load, what is sent and confirmed while one stream exists is in that stream exactly once', async (t) => {
  const stream = await gateway.newStream(t)
  const load = new RecreatedStreamLoad(gateway, stream)
  const working = load.run()
  let confirmedInAll = 0
  for (let round = 0; round < 10; round++) {
    load.begin(round)
    const hasWorked = (): boolean => load.confirmed.size >= 50 && load.read.size >= 50
    await until('something of this round is confirmed and read', hasWorked)
    const { confirmed, read } = load.end()
    const stored = await linesOf(stream)
    t.equal(new Set(stored).size, stored.length, 'nothing is there twice')
    t.same([...confirmed].filter((line) => !stored.includes(line)), [], `what is confirmed in round ${round} is there`)
    t.same([...read].filter(([offset, line]) => stored[offset] !== line), [], 'what is read is what is there')
    confirmedInAll += confirmed.size
    await recreate(stream)
  }
  load.stop()
  await working
  t.ok(confirmedInAll >= 500)
  t.same(load.wrong, [], 'every other answer says that it may be tried again')
})

t.test('no read answers with what the old stream had', async (t) => {
  const stream = await gateway.newStream(t)
  const read = async (query: string) => (await gateway.get(`/v1/streams/${stream}/messages?${query}`)).json
  for (let round = 0; round < 10; round++) {
    await publishLines(other, stream, [`old ${round}`, `old ${round}`])
    t.match(await read('offset=0'), { messages: exactly({ body: `old ${round}` }, {}), nextOffset: 2 })
    await recreate(stream)
    t.match(await read('offset=2'), { status: 416, firstOffset: 0, lastOffset: null }, 'it has no such offset')
    t.match(await read('offset=last'), { messages: exactly(), nextOffset: 0, endOfStream: true })
    await publishLines(other, stream, [`new ${round}`])
    const fresh = { messages: exactly({ offset: 0, body: `new ${round}` }), nextOffset: 1, endOfStream: true }
    t.match(await read('offset=0'), fresh)
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

t.test('a consumer begins anew with the stream, and the offsets that it stores are checked against it', async (t) => {
  const stream = await gateway.newStream(t)
  const path = `/v1/streams/${stream}/consumers/c`
  const read = async () => (await gateway.get(`${path}/messages`)).json
  const store = async (offset: number) => (await gateway.request('PUT', `${path}/offset`, { json: { offset } })).json
  for (let round = 0; round < 5; round++) {
    await publishLines(other, stream, ['a', 'b', 'c'])
    t.match(await read(), { messages: exactly({ offset: 0 }, {}, {}) })
    t.match(await store(2), { storedOffset: 2 })
    await recreate(stream)
    t.match((await gateway.get(`${path}/offset`)).json, { status: 404, code: 'consumer_offset_not_found' })
    t.match(await store(2), { status: 422, code: 'offset_beyond_end' })
    await publishLines(other, stream, [`new ${round}`])
    t.match(await read(), { messages: exactly({ offset: 0, body: `new ${round}` }), nextOffset: 1 })
    t.match(await store(0), { storedOffset: 1 })
    t.match((await other.get(`${path}/offset`)).json, { storedOffset: 1 })
    await recreate(stream)
  }
})

t.test('nothing is left over', async () => {
  await untilNothingIsLeft(gateway)
})

interface Outcome {
  confirmed: number
  duplicates: number
  unknown?: number
  results?: Array<{ status: 'failed' | 'unknown' }>
}

/** What an answer says of the messages: a problem without numbers says the same of all. */
function outcomeOf (json: unknown): Outcome {
  const { published, sideEffects, ...answer } = JSON.parse(JSON.stringify(json))
  if (sideEffects === undefined) return answer
  return published ?? { confirmed: 0, duplicates: 0, unknown: sideEffects === 'possible' ? Infinity : 0 }
}

async function untilWaiting (): Promise<void> {
  await until('the poll reads', () => gateway.app.broker.stats().readers > 0)
  await new Promise((resolve) => setTimeout(resolve, 100))
}
