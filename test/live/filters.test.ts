import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { exactly } from '../support/exactly.ts'
import { publishAll } from '../support/filter-requests.ts'
import { startGateway } from '../support/gateway.ts'
import { recordsOf, storeSubEntries } from '../support/heavy-stream.ts'
import { fieldOf, LiveClient } from '../support/live-client.ts'

const gateway = await startGateway(t)
const pathOf = (stream: string, query: string): string => `/v1/streams/${stream}/messages?${query}`
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

async function open (t: Test, stream: string, query: string, headers?: Record<string, string>): Promise<LiveClient> {
  return await LiveClient.open(t, gateway.url + pathOf(stream, query), headers)
}

function bodiesOf ({ messages }: LiveClient): unknown[] {
  return messages.map(({ data }) => fieldOf(data, 'body'))
}

async function untilEnd (client: LiveClient, offset = 0): Promise<void> {
  await client.until('the end of the stream', () => client.named('state').some((state) =>
    fieldOf(state, 'endOfStream') === true && Number(fieldOf(state, 'nextOffset')) >= offset))
}

/** The last offset that a client can come back with. */
function lastIdOf ({ lastId }: LiveClient): number {
  return Number(lastId)
}

async function postLines (stream: string, count: number, query = ''): Promise<void> {
  const path = `/v1/streams/${stream}/messages/lines${query}`
  const { status, text } = await gateway.request('POST', path, { body: 'x\n'.repeat(count) })
  if (status !== 200) throw new Error(`publishing answered ${status}: ${text}`)
}

t.test('filter values and conditions choose the messages, those that are there and those that come', async (t) => {
  const stream = await gateway.newStream(t)
  const message = (n: number, filterValue: string | undefined, subject: string) =>
    ({ body: n, filterValue, properties: { subject } })
  const some = (from: number) => [
    message(from, 'a', 'x.1'), message(from + 1, 'b', 'x.2'), message(from + 2, 'c', 'y.1'),
    message(from + 3, undefined, 'x.3')
  ]
  // Each message is a chunk of its own, so that the broker can leave it out.
  for (const one of some(0)) await publishAll(gateway, stream, [one])
  const cases: Array<[string, number[]]> = [
    ['filterValue=a', [0]],
    ['filterValue=a&filterValue=b', [0, 1]],
    ['filterValue=a&matchUnfiltered=true', [0, 3]],
    ['match.subject=x.*', [0, 1, 3]],
    ['match.subject=x.*&filterValue=b&filterValue=c', [1]],
    ['filterValue=absent', []],
    ['match.subject=absent', []]
  ]
  const clients = await Promise.all(cases.flatMap(([query]) => [
    open(t, stream, query), open(t, stream, `follow=true&${query}`, { accept: '*/*' })
  ]))
  await Promise.all(clients.map(async (client) => { await untilEnd(client) }))
  for (const one of some(4)) await publishAll(gateway, stream, [one])
  await publishAll(gateway, stream, [{ body: 8, filterValue: 'last', properties: { subject: 'x.4' } }])
  for (const [index, client] of clients.entries()) {
    const [query, first] = cases[Math.floor(index / 2)] ?? ['', []]
    const wanted = [...first, ...first.map((n) => n + 4), ...query === 'match.subject=x.*' ? [8] : []]
    await client.until(`${query}: all of them`, () => client.messages.length >= wanted.length)
    t.same(bodiesOf(client), wanted, query)
  }
})

t.test('publishers with and without filter values, in one chunk: nothing is missing that may match', async (t) => {
  const stream = await gateway.newStream(t)
  const client = await open(t, stream, 'filterValue=a')
  const mixed = (from: number) => upTo(200).map((n) => ({
    body: from + n, ...n % 4 === 0 ? { filterValue: 'a' } : n % 4 === 1 ? { filterValue: 'b' } : {}
  }))
  for (let from = 0; from < 2000; from += 200) await publishAll(gateway, stream, mixed(from))
  await client.until('the last match', () => bodiesOf(client).includes(1996))
  const bodies = bodiesOf(client)
  t.same(bodies.filter((body) => Number(body) % 4 === 0), upTo(500).map((n) => n * 4))
  t.same(bodies.filter((body) => Number(body) % 4 === 1), [], 'none with another value')
  t.same(bodies, [...bodies].sort((a, b) => Number(a) - Number(b)), 'in order')
})

t.test('of a chunk that the broker delivers for another value, nothing is sent', async (t) => {
  const stream = await gateway.newStream(t)
  const all = await Promise.all([0, 7, 59].map((n) => open(t, stream, `filterValue=v${n}`)))
  const none = await open(t, stream, 'filterValue=absent')
  // With sixty values the filter of a chunk, of 16 bytes, has most bits set: the broker leaves out hardly any chunk.
  for (let chunk = 0; chunk < 20; chunk++) {
    await publishAll(gateway, stream, upTo(60).map((n) => ({ body: chunk, filterValue: `v${n}` })))
  }
  for (const client of all) {
    await client.until('a message of each chunk', () => client.messages.length >= 20)
    t.same(bodiesOf(client), upTo(20))
  }
  await none.until('it is told how far it is', () => lastIdOf(none) >= 1000)
  t.same(none.messages, [])
})

t.test('an id of what was skipped is where to come back: nothing is looked at twice', async (t) => {
  for (const query of ['filterValue=a', 'match.subject=s']) {
    const stream = await gateway.newStream(t)
    for (let n = 0; n < 10; n++) await postLines(stream, 5000, '?filterValue=b')
    const client = await open(t, stream, query)
    // Before RabbitMQ 4.3 the end that the broker tells is in the last chunk.
    await untilEnd(client, 40_000)
    t.same(client.messages, [])
    // The stream goes on, and still nothing matches.
    for (let n = 0; n < 2; n++) await postLines(stream, 1500, '?filterValue=b')
    const before = lastIdOf(client)
    await client.until(`${query}: the id moves without a match`, () => lastIdOf(client) >= before + 1000, 10_000)
    client.close()
    const again = await open(t, stream, query, { 'last-event-id': String(client.lastId) })
    t.equal(again.response.headers['stream-next-offset'], client.lastId)
    await again.until('the opening', () => again.events.length > 0)
    await postLines(stream, 1, '?filterValue=a')
    await publishAll(gateway, stream, [{ body: 'match', filterValue: 'a', properties: { subject: 's' } }])
    await again.until(`${query}: what matches comes`, () => bodiesOf(again).includes('match'))
    again.close()
  }
})

t.test('a filter that matches nothing comes to the end of a long stream', async (t) => {
  const stream = await gateway.newStream(t)
  for (let n = 0; n < 40; n++) await postLines(stream, 5000)
  const client = await open(t, stream, 'match.subject=absent')
  await untilEnd(client, 200_000)
  const ids = client.events.map(({ id }) => Number(id))
  t.same(ids, [...ids].sort((a, b) => a - b), 'ids only go forward')
  t.equal(lastIdOf(client), 200_000)
})

t.test('limit counts matches, and bye has the position that was reached', async (t) => {
  const stream = await gateway.newStream(t)
  for (let chunk = 0; chunk < 6; chunk++) {
    await publishAll(gateway, stream, upTo(10).map((n) => ({
      body: chunk * 10 + n, filterValue: 'f', properties: { subject: n % 5 === 0 ? 'yes' : 'no' }
    })))
  }
  const client = await open(t, stream, 'match.subject=yes&limit=5')
  await client.until('the end', ({ isClosed }) => isClosed)
  t.same(client.offsets, [0, 5, 10, 15, 20])
  t.match(client.named('bye'), exactly({ reason: 'limit', nextOffset: 21 }))
  const rest = await open(t, stream, `match.subject=yes&filterValue=f&limit=7&lastEventId=${client.lastId}`)
  await rest.until('the end', ({ isClosed }) => isClosed)
  t.same(rest.offsets, [25, 30, 35, 40, 45, 50, 55])
})

t.test('a client that is cut at any match comes back in the middle of a chunk and misses nothing', async (t) => {
  const stream = await gateway.newStream(t)
  const subjectOf = (n: number): string => n % 3 === 0 ? 's' : 'n'
  await publishAll(gateway, stream, upTo(30).map((n) => ({ body: n, properties: { subject: subjectOf(n) } })))
  const whole = await open(t, stream, 'match.subject=s')
  await untilEnd(whole, 30)
  t.same(bodiesOf(whole), upTo(10).map((n) => n * 3))
  for (const { id } of whole.events) {
    const rest = await open(t, stream, 'match.subject=s', { 'last-event-id': String(id) })
    await untilEnd(rest, 30)
    t.same(bodiesOf(rest), bodiesOf(whole).filter((body) => Number(body) >= Number(id)), `from ${id}`)
    rest.close()
  }
})

t.test('compressed batches are looked into', async (t) => {
  const stream = await gateway.newStream(t)
  const client = await open(t, stream, 'match.subject=s')
  const records = recordsOf(upTo(2000).map((n) => ({
    body: Buffer.from(`${n}`), properties: { subject: n % 100 === 0 ? 's' : 'n' }
  })))
  await storeSubEntries(stream, { compression: 1, body: gzipSync(records), count: 2000, length: records.length })
  await client.until('all that match', () => client.messages.length >= 20)
  t.same(client.offsets, upTo(20).map((n) => n * 100))
  const inside = await open(t, stream, 'match.subject=s&offset=1501')
  await untilEnd(inside, 2000)
  t.same(inside.offsets, [1600, 1700, 1800, 1900])
})

t.test('what retention took is a gap, and what the broker has left out is not', async (t) => {
  const stream = await gateway.newStream(t, { maxLengthBytes: 100_000, maxSegmentSizeBytes: 50_000 })
  const body = 'x'.repeat(20_000)
  const live = await open(t, stream, 'filterValue=a')
  for (let n = 0; n < 40; n++) {
    await publishAll(gateway, stream, [{ body, filterValue: n % 2 === 0 ? 'a' : 'b' }])
    // Retention keeps five messages: a reader that falls behind them would rightly be told of a gap.
    if (n % 2 === 0) await live.until(`message ${n}`, () => live.offsets.includes(n))
  }
  t.same(live.offsets, upTo(20).map((n) => n * 2))
  t.same(live.named('gap'), [])
  for (const query of ['filterValue=a&filterValue=c', 'filterValue=absent', 'match.subject=s']) {
    const client = await open(t, stream, `offset=0&${query}`)
    await untilEnd(client)
    const [gap] = client.named('gap')
    t.equal(fieldOf(gap, 'from'), 0, query)
    t.ok(Number(fieldOf(gap, 'to')) > 10, `up to ${fieldOf(gap, 'to')}`)
    t.equal(client.named('gap').length, 1)
    client.close()
  }
})

t.test('bad filters are refused before the answer begins', async (t) => {
  const stream = await gateway.newStream(t)
  for (const query of ['filterValue=', 'match.subject=a*b', 'matchUnfiltered=true']) {
    const { status } = await gateway.get(pathOf(stream, query), { accept: 'text/event-stream' })
    t.equal(status, 400, query)
  }
})
