import t from 'tap'
import { followFiltered, followWhilePublishing, publishAll, readBatch } from '../support/filter-requests.ts'
import { startGateway } from '../support/gateway.ts'
import { exactly } from '../support/exactly.ts'
import { until } from '../support/until.ts'

const gateway = await startGateway(t, { READ_MAX_SCAN_BYTES: String(1024 * 1024) })

async function postLines (stream: string, lines: string, query = ''): Promise<void> {
  const path = `/v1/streams/${stream}/messages/lines${query}`
  const { status, text } = await gateway.request('POST', path, { body: lines })
  if (status !== 200) throw new Error(`publishing answered ${status}: ${text}`)
}

t.test('of a chunk that the broker delivers for another value, nothing is returned', async (t) => {
  const stream = await gateway.newStream(t)
  // With sixty values the filter of a chunk, of 16 bytes, has most bits set: the broker leaves out hardly any chunk.
  for (let chunk = 0; chunk < 20; chunk++) {
    await publishAll(gateway, stream, Array.from({ length: 60 }, (_, n) => ({ body: chunk, filterValue: `v${n}` })))
  }
  const wanted = Array.from({ length: 20 }, (_, chunk) => chunk)
  t.same((await followFiltered(gateway, stream, 'filterValue=v0')).bodies, wanted)
  t.same((await followFiltered(gateway, stream, 'filterValue=v59&limit=1')).bodies, wanted)
  for (let n = 0; n < 50; n++) {
    const { bodies, nextOffset } = await followFiltered(gateway, stream, `filterValue=absent${n}`)
    t.same(bodies, [], `absent${n}`)
    t.ok(nextOffset > 1100, 'before RabbitMQ 4.3 it is in the last chunk, and not after it')
  }
})

t.test('a filter value may have 255 bytes, and any characters', async (t) => {
  const stream = await gateway.newStream(t)
  const values = ['x'.repeat(255), 'é'.repeat(127), '\u{1f600}', ' a b ', 'a&b=c+%2B', '"\\\n', '\u0000', '*']
  for (const filterValue of values) await publishAll(gateway, stream, [{ body: filterValue, filterValue }])
  for (const value of values) {
    const { bodies } = await followFiltered(gateway, stream, `filterValue=${encodeURIComponent(value)}`)
    t.same(bodies, [value])
  }
  const all = values.map((value) => `filterValue=${encodeURIComponent(value)}`).join('&')
  t.same((await followFiltered(gateway, stream, all)).bodies, values)
})

t.test('the end of a stream is found at once, when the broker leaves out everything', async (t) => {
  const stream = await gateway.newStream(t)
  const lines = `${'x'.repeat(999)}\n`.repeat(1000)
  for (let request = 0; request < 60; request++) await postLines(stream, lines, '?filterValue=b')
  await postLines(stream, 'last', '?filterValue=a')
  await postLines(stream, lines, '?filterValue=b')
  const startedMs = performance.now()
  const nothing = await readBatch(gateway, `/v1/streams/${stream}/messages?filterValue=absent`)
  const one = await readBatch(gateway, `/v1/streams/${stream}/messages?filterValue=a`)
  const tookMs = performance.now() - startedMs
  t.match(nothing, { messages: exactly(), endOfStream: true })
  t.match(one, { messages: exactly({ offset: 60_000, body: 'last' }), endOfStream: true })
  for (const { nextOffset } of [nothing, one]) t.ok(nextOffset > 60_001, `they have come to ${nextOffset}`)
  t.ok(tookMs < 3000, `two reads past 60 MB took ${Math.round(tookMs)} ms`)
})

t.test('one read looks at a bounded amount, and the next one goes on there', async (t) => {
  const stream = await gateway.newStream(t)
  const lines = `${'x'.repeat(999)}\n`.repeat(1000)
  for (let request = 0; request < 8; request++) await postLines(stream, lines)
  await publishAll(gateway, stream, [{ body: 'found', properties: { subject: 's' } }])
  const { bodies, reads, nextOffset } = await followFiltered(gateway, stream, 'match.subject=s')
  t.same(bodies, ['found'])
  t.equal(nextOffset, 8001)
  t.ok(reads >= 7 && reads <= 10, `${reads} reads of at most 1 MiB`)
  const first = await readBatch(gateway, `/v1/streams/${stream}/messages?match.subject=s&wait=30`)
  t.match(first, { messages: exactly(), endOfStream: false })
  t.ok(first.nextOffset >= 1000 && first.nextOffset < 8000, `it has come to ${first.nextOffset}`)
})

t.test('conditions are met by properties, exactly, by their beginnings and by their ends', async (t) => {
  const stream = await gateway.newStream(t)
  await publishAll(gateway, stream, [
    { body: 0, properties: { subject: 'order.created', messageId: 'a-1' }, applicationProperties: { tenant: 'acme' } },
    { body: 1, properties: { subject: 'order.paid', messageId: 7 }, applicationProperties: { tenant: 'x', n: 3 } },
    { body: 2, properties: { subject: 'a*b' } },
    { body: 3 }
  ])
  const cases: Array<[string, number[]]> = [
    ['match.subject=order.created', [0]],
    ['match.subject=order.*', [0, 1]],
    ['match.subject=*paid', [1]],
    ['match.subject=*paid&match.subject=order.created', [0, 1]],
    ['match.subject=order.*&match.applicationProperties.tenant=acme', [0]],
    ['match.subject=a%5C*b', [2]],
    ['match.subject=*', [0, 1, 2]],
    ['match.messageId=7', [1]],
    ['match.messageId=a-*', [0]],
    ['match.applicationProperties.n=3', [1]],
    ['match.applicationProperties.absent=*', []],
    ['match.subject=ORDER.*', []]
  ]
  for (const [query, wanted] of cases) {
    t.same((await followFiltered(gateway, stream, query)).bodies, wanted, query)
    t.same((await followFiltered(gateway, stream, `${query}&limit=1`)).bodies, wanted, `${query}, one by one`)
  }
  t.match(await readBatch(gateway, `/v1/streams/${stream}/messages?limit=1&match.subject=order.*`), {
    messages: exactly({ offset: 0 }), nextOffset: 1, endOfStream: false
  })
})

t.test('what retention took before a match is a gap', async (t) => {
  const stream = await gateway.newStream(t, { maxLengthBytes: 100_000, maxSegmentSizeBytes: 50_000 })
  const body = 'x'.repeat(20_000)
  for (let n = 0; n < 40; n++) await publishAll(gateway, stream, [{ body, filterValue: n % 2 === 0 ? 'a' : 'b' }])
  const first = await until('retention has removed something', async () => {
    const { messages: [message] } = await readBatch(gateway, `/v1/streams/${stream}/messages?limit=1`)
    const offset = Number(message?.offset)
    return offset > 0 ? offset : undefined
  })
  for (const query of ['filterValue=a', 'filterValue=absent']) {
    const { gap } = await readBatch(gateway, `/v1/streams/${stream}/messages?offset=0&${query}`)
    t.equal(gap?.from, 0, query)
    t.ok((gap?.to ?? 0) >= first - 1, `up to ${gap?.to}`)
  }
  const { nextOffset, gap } = await readBatch(gateway, `/v1/streams/${stream}/messages?offset=38&filterValue=a`)
  t.equal(gap, undefined, 'nothing is missing between what the broker has left out')
  t.equal(nextOffset, 40)
})

t.test('a publisher name deduplicates messages with and without filter values', async (t) => {
  const stream = await gateway.newStream(t)
  const query = '?publisher=p'
  const message = (publishingId: number, filterValue?: string) => ({ body: publishingId, publishingId, filterValue })
  await publishAll(gateway, stream, [message(1), message(2, 'a'), message(3), message(4, 'b')], query)
  const again = await gateway.request('POST', `/v1/streams/${stream}/messages${query}`, {
    json: { messages: [message(2, 'a'), message(3), message(4, 'b'), message(5, 'a'), message(6)] }
  })
  t.match(again.json, { confirmed: 2, duplicates: 3, lastPublishingId: 6 })
  await postLines(stream, '7\n8\n', `${query}&firstPublishingId=7&filterValue=a`)
  await postLines(stream, '7\n8\n9\n', `${query}&firstPublishingId=7`)
  const { messages } = await readBatch(gateway, `/v1/streams/${stream}/messages`)
  t.same(messages.map(({ body }) => body), [1, 2, 3, 4, 5, 6, '7', '8', '9'])
  const { bodies } = await followFiltered(gateway, stream, 'filterValue=a')
  for (const body of [2, 5, '7', '8']) t.ok(bodies.includes(body), `${body} is found`)
  t.notOk(bodies.includes(4), 'and not what has another one')
})

t.test('a consumer with a filter commits how far it has looked, and misses no match', async (t) => {
  const stream = await gateway.newStream(t)
  for (let n = 0; n < 30; n++) await publishAll(gateway, stream, [{ body: n, filterValue: n % 10 === 9 ? 'a' : 'b' }])
  for (const mode of ['commit', 'autoCommit']) {
    const seen: unknown[] = []
    const path = `/v1/streams/${stream}/consumers/${mode}/messages?filterValue=a&limit=1`
    let commit = ''
    for (let reads = 0; reads < 10; reads++) {
      const batch = await readBatch(gateway, path + (mode === 'commit' ? commit : '&autoCommit=true'))
      seen.push(...batch.messages.map(({ body }) => body))
      if (batch.commitOffset !== null) commit = `&commit=${batch.commitOffset}`
      if (batch.endOfStream) break
    }
    t.same(seen, [9, 19, 29], mode)
    const { json } = await gateway.get(`/v1/streams/${stream}/consumers/${mode}/offset`)
    const storedOffset = typeof json === 'object' && json !== null && 'storedOffset' in json ? json.storedOffset : null
    t.ok(mode === 'commit' ? storedOffset === 19 : Number(storedOffset) >= 29, `${mode} has stored ${storedOffset}`)
  }
  await publishAll(gateway, stream, [{ body: 30, filterValue: 'b' }])
  const empty = await readBatch(gateway, `/v1/streams/${stream}/consumers/autoCommit/messages?filterValue=a`)
  t.match(empty, { messages: exactly(), endOfStream: true })
  t.ok(empty.nextOffset > 30, 'offsets that were stored have a place in the stream too')
  t.equal(empty.commitOffset, empty.nextOffset - 1)
})

t.test('readers that follow a stream with a filter while it is written see every match once', async (t) => {
  const stream = await gateway.newStream(t)
  const both = 'filterValue=a&match.subject=a&limit=1'
  const queries = ['filterValue=a', 'filterValue=a&wait=1', 'match.subject=a', both]
  const { wanted, seen } = await followWhilePublishing(gateway, stream, 600, queries)
  for (const [index, bodies] of seen.entries()) t.same(bodies, wanted, `${queries[index]}`)
})
