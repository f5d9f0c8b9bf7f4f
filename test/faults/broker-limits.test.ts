import t from 'tap'
import { testAddresses } from '../support/streams.ts'
import { startGateway, type Gateway } from '../support/gateway.ts'
import { QUICKLY_IDLE, untilNothingIsLeft } from '../support/leftovers.ts'
import { FaultProxy } from '../support/proxy.ts'
import { until } from '../support/until.ts'
import { exactly } from '../support/exactly.ts'

t.setTimeout(1_800_000)

/** Streams that are used in turn; 10,000 take some minutes. */
const STREAMS = Number(process.env['FAULT_STREAMS'] ?? 300)

const gateway = await startGateway(t, QUICKLY_IDLE)

interface Batch { messages: Array<{ offset: number, body: string }>, nextOffset: number, endOfStream: boolean, gap?: { from: number, to: number } }

async function read (gateway: Gateway, stream: string, query: string): Promise<Batch> {
  const { status, text } = await gateway.get(`/v1/streams/${stream}/messages?${query}`)
  if (status !== 200) throw new Error(text)
  return JSON.parse(text)
}

async function publishLines (stream: string, body: string, query = ''): Promise<{ status: number, json: unknown }> {
  return await gateway.request('POST', `/v1/streams/${stream}/messages/lines${query}`, { body })
}

/** Does it for 0 to count - 1, so many at a time. */
async function inParallel (count: number, width: number, act: (index: number) => Promise<void>): Promise<void> {
  let next = 0
  await Promise.all(Array.from({ length: width }, async () => { while (next < count) await act(next++) }))
}

t.test('more messages without a confirm than the broker allows a connection wait, and are all confirmed in the end', async (t) => {
  const { host, port } = testAddresses()
  const proxy = await FaultProxy.listen({ host, port })
  t.teardown(async () => { await proxy.close() })
  const slow = await startGateway(t, { RABBITMQ_STREAM_URL: `rabbitmq-stream://${proxy.host}:${proxy.port}`, RABBITMQ_ADDRESS_MODE: 'configured', ...QUICKLY_IDLE })
  const stream = await gateway.newStream(t)
  await slow.publish(stream, 'first')
  proxy.pause()
  const publishing = Promise.all(Array.from({ length: 13 }, async (_, request) => {
    const body = Array.from({ length: 10_000 }, (_, index) => `${request}:${index}`).join('\n')
    return await slow.request('POST', `/v1/streams/${stream}/messages/lines`, { body })
  }))
  await until('all wait', () => slow.app.broker.stats().publishBudgetUsedBytes > 2_000_000)
  proxy.resume()
  for (const { json } of await publishing) t.match(json, { confirmed: 10_000 })
  const seen = new Set<string>()
  for (let offset = 0, isEnd = false; !isEnd;) {
    const batch = await read(gateway, stream, `offset=${offset}&limit=10000&maxBytes=16777216`)
    for (const { body } of batch.messages) seen.add(body)
    offset = batch.nextOffset
    isEnd = batch.endOfStream
  }
  t.equal(seen.size, 130_001)
  await untilNothingIsLeft(slow)
})

t.test('more publishers and readers than a connection has ids for', async (t) => {
  const stream = await gateway.newStream(t)
  const count = 600
  await publishLines(stream, 'x\n'.repeat(count))
  await inParallel(count, 100, async (index) => {
    t.match((await publishLines(stream, `${index}`, `?publisher=p${index}&firstPublishingId=7`)).json, { confirmed: 1 })
    t.equal((await read(gateway, stream, `offset=${index}&limit=1`)).messages[0]?.offset, index)
  })
  const { publishers, readers, connections } = gateway.app.broker.stats()
  t.comment(`${publishers} publishers and ${readers} readers on ${connections} connections`)
  t.ok(connections <= 10)
  // The broker keeps the last ids of at least 255 names, of the rest until the segment ends.
  await inParallel(count, 50, async (index) => {
    t.same((await publishLines(stream, `${index}`, `?publisher=p${index}&firstPublishingId=7`)).json, { confirmed: 0, duplicates: 1 })
  })
  await untilNothingIsLeft(gateway)
})

t.test('of 300 publisher names the broker forgets some with the segment; what is sent again under a forgotten one is stored again, and said to be', async (t) => {
  const stream = await gateway.newStream(t, { maxSegmentSizeBytes: 100_000 })
  await inParallel(300, 20, async (index) => { await publishLines(stream, `first ${index}`, `?publisher=p${index}&firstPublishingId=1`) })
  for (let segment = 0; segment < 3; segment++) await publishLines(stream, `${'x'.repeat(150_000)}\n`)
  let confirmed = 0
  let duplicates = 0
  for (let index = 0; index < 300; index++) {
    const { lastPublishingId } = JSON.parse((await gateway.get(`/v1/streams/${stream}/publishers/p${index}`)).text)
    const { json } = await publishLines(stream, `first ${index}`, `?publisher=p${index}&firstPublishingId=1`)
    t.same(json, lastPublishingId === 1 ? { confirmed: 0, duplicates: 1 } : { confirmed: 1, duplicates: 0 })
    if (lastPublishingId === 1) duplicates++
    else confirmed++
  }
  t.comment(`${duplicates} names known, ${confirmed} forgotten`)
  const { messages } = await read(gateway, stream, 'offset=0&limit=10000&maxBytes=16777216')
  const stored = messages.filter(({ body }) => body.startsWith('first')).length
  t.equal(stored, 300 + confirmed, 'every answer was true')
})

t.test('a reader whose place retention has removed is told what is missing, and nothing comes twice', async (t) => {
  const gateway = await startGateway(t, { READER_WINDOW_BYTES: '65536' }) // what it has read ahead it still has
  const stream = await gateway.newStream(t, { maxSegmentSizeBytes: 50_000, maxLengthBytes: 200_000 })
  let published = 0
  const publish = async (count: number): Promise<void> => {
    await publishLines(stream, Array.from({ length: count }, () => `${published++}:${'x'.repeat(1000)}\n`).join(''))
  }
  await publish(20)
  // One that has read a little, one that waits at the end, and a consumer.
  const { nextOffset } = await read(gateway, stream, 'offset=0&limit=5')
  t.equal(nextOffset, 5)
  await gateway.request('PUT', `/v1/streams/${stream}/consumers/c/offset`, { json: { offset: 4 } })
  const { nextOffset: end } = await read(gateway, stream, 'offset=next')
  const waiting = read(gateway, stream, `offset=${end}&wait=20`)
  await new Promise((resolve) => setTimeout(resolve, 100))
  for (let times = 0; times < 50; times++) await publish(20)
  await until('retention has removed something', async () => {
    const { firstOffset } = JSON.parse((await gateway.get(`/v1/streams/${stream}`)).text)
    return firstOffset > 300
  })
  t.match(await waiting, { messages: exactly({ body: /^20:/ }) })
  // The broker's own records take offsets too, so messages are followed by their numbers: without a gap none is missing.
  for (const path of [`messages?offset=${nextOffset}`, 'consumers/c/messages?']) {
    let number = 5
    let missing = 0
    let reached = 0
    for (let query = `${path}&limit=7`, isEnd = false; !isEnd;) {
      const batch: Batch = JSON.parse((await gateway.get(`/v1/streams/${stream}/${query}`)).text)
      // The broker drops an offset that retention has overtaken: then its consumer begins anew, at the first message.
      const isAnew = reached === 0 && path.startsWith('consumers') && (await gateway.get(`/v1/streams/${stream}/consumers/c/offset`)).status === 404
      if (batch.gap !== undefined || isAnew) {
        const [message] = batch.messages
        const next = Number(message?.body.split(':')[0])
        t.ok(next >= number, 'nothing comes twice')
        missing += next - number // 0 when it was only a record of the broker's own that retention took
        number = next
        if (batch.gap !== undefined) t.ok(batch.gap.from >= reached && batch.gap.to < Number(message?.offset), JSON.stringify(batch.gap))
      }
      for (const { offset, body } of batch.messages) {
        if (offset < reached || !body.startsWith(`${number}:`)) t.fail(`offset ${offset} after ${reached}: ${body.slice(0, 10)} in place of ${number}`)
        number++
        reached = offset + 1
      }
      isEnd = batch.endOfStream
      query = `messages?offset=${batch.nextOffset}&limit=7`
    }
    // The warm reader may have it all in memory: credit counts chunks, and after small ones it is given for many. Then it misses nothing.
    if (path.startsWith('consumers')) t.ok(missing > 0, `${missing} are missing`)
    t.equal(number, published, 'to the end')
  }
})

t.test('a thousand commits on an idle stream leave a lag of 0 and the end where it is', async (t) => {
  const stream = await gateway.newStream(t)
  await publishLines(stream, 'a\nb\nc')
  const path = `/v1/streams/${stream}/consumers`
  const controller = new AbortController()
  let polls = 0
  // A poll at the end sleeps through them: what wakes it is data.
  const polling = (async () => {
    for (; !controller.signal.aborted; polls++) t.match(await read(gateway, stream, 'offset=3&wait=1'), { messages: exactly(), endOfStream: true })
  })()
  await inParallel(1000, 10, async (index) => {
    t.equal((await gateway.request('PUT', `${path}/c${index % 10}/offset`, { json: { offset: 2 } })).status, 200)
  })
  controller.abort()
  await polling
  t.ok(polls < 30, `${polls} polls of a second each`)
  t.match((await gateway.get(`${path}/c0/offset`)).json, { storedOffset: 2, lastOffset: 2, lag: 0 })
  const { json } = await gateway.get(path)
  t.match(json, { consumers: exactly(...Array.from({ length: 10 }, () => ({ storedOffset: 2, lag: 0 }))) })
  t.match(await read(gateway, stream, 'offset=0'), { messages: exactly({ offset: 0 }, {}, { offset: 2 }), endOfStream: true })
  const { nextOffset, messages } = await read(gateway, stream, 'offset=next')
  t.same(messages, [])
  await publishLines(stream, 'd')
  t.match((await read(gateway, stream, `offset=${nextOffset}&wait=5`)).messages, exactly({ body: 'd' }))
  t.match((await read(gateway, stream, 'offset=3&wait=5')).messages, exactly({ body: 'd' }))
})

t.test(`${STREAMS} streams used in turn leave no more than the pools allow`, async (t) => {
  const small = await startGateway(t, { MAX_PUBLISHERS: '50', MAX_READERS: '50', RABBITMQ_CONNECTION_IDLE_MS: '1000', LOG_LEVEL: 'warn' })
  const prefix = `turn-${process.pid}-`
  let [mostPublishers, mostReaders, mostConnections] = [0, 0, 0]
  const before = process.memoryUsage.rss()
  await inParallel(STREAMS, 8, async (index) => {
    const path = `/v1/streams/${prefix}${index}`
    if ((await small.request('PUT', path)).status !== 201) t.fail('not created')
    if ((await small.request('POST', `${path}/messages/lines`, { body: 'x' })).status !== 200) t.fail('not published')
    if ((await small.get(`${path}/messages`)).status !== 200) t.fail('not read')
    if ((await small.request('PUT', `${path}/consumers/c/offset`, { json: { offset: 0 } })).status !== 200) t.fail('not committed')
    const { publishers, readers, connections } = small.app.broker.stats()
    mostPublishers = Math.max(mostPublishers, publishers)
    mostReaders = Math.max(mostReaders, readers)
    mostConnections = Math.max(mostConnections, connections)
    if ((await small.request('DELETE', path)).status !== 204) t.fail('not deleted')
  })
  t.comment(`${STREAMS} streams: at most ${mostPublishers} publishers, ${mostReaders} readers, ${mostConnections} connections; memory from ${before >> 20} to ${process.memoryUsage.rss() >> 20} MiB`)
  t.ok(mostPublishers <= 50 && mostReaders <= 50 && mostConnections <= 6)
})
