import t from 'tap'
import { testAddresses } from '../support/streams.ts'
import { startGateway, type Gateway } from '../support/gateway.ts'
import { inParallel } from '../support/in-parallel.ts'
import { QUICKLY_IDLE, untilNothingIsLeft } from '../support/leftovers.ts'
import { FaultProxy } from '../support/proxy.ts'
import { until } from '../support/until.ts'
import { exactly } from '../support/exactly.ts'

t.setTimeout(1_800_000)

const gateway = await startGateway(t, QUICKLY_IDLE)

interface Batch {
  messages: Array<{ offset: number, body: string }>
  nextOffset: number
  endOfStream: boolean
  gap?: { from: number, to: number }
}

async function read (gateway: Gateway, stream: string, query: string): Promise<Batch> {
  const { status, text } = await gateway.get(`/v1/streams/${stream}/messages?${query}`)
  if (status !== 200) throw new Error(text)
  return JSON.parse(text)
}

async function publishLines (stream: string, body: string, query = ''): Promise<{ status: number, json: unknown }> {
  return await gateway.request('POST', `/v1/streams/${stream}/messages/lines${query}`, { body })
}

t.test('more unconfirmed messages than a connection may have wait, and all are confirmed in the end', async (t) => {
  const { host, port } = testAddresses()
  const proxy = await FaultProxy.listen({ host, port })
  t.teardown(async () => { await proxy.close() })
  const slow = await startGateway(t, {
    RABBITMQ_STREAM_URL: `rabbitmq-stream://${proxy.host}:${proxy.port}`,
    RABBITMQ_ADDRESS_MODE: 'configured',
    ...QUICKLY_IDLE
  })
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

t.test('more publishers and readers than one connection has ids for all work, on a few connections', async (t) => {
  // Nothing becomes idle while the test runs, so that all publishers and readers are there at once.
  const patient = await startGateway(t, {
    PUBLISHER_IDLE_MS: '20000',
    READER_IDLE_MS: '20000',
    RABBITMQ_CONNECTION_IDLE_MS: '1000'
  })
  const publish = async (stream: string, body: string, query = ''): Promise<unknown> => {
    return (await patient.request('POST', `/v1/streams/${stream}/messages/lines${query}`, { body })).json
  }
  const publishAs = async (index: number): Promise<unknown> => {
    return await publish(stream, `${index}`, `?publisher=p${index}&firstPublishingId=7`)
  }
  const stream = await gateway.newStream(t)
  const names = 600
  await inParallel(names, 50, async (index) => {
    t.same(await publishAs(index), { confirmed: 1, duplicates: 0, lastPublishingId: 7 })
  })
  // Readers of one stream share a subscription, so these read many streams.
  await inParallel(300, 8, async (index) => {
    const other = await gateway.newStream(t)
    t.same(await publish(other, `${index}`), { confirmed: 1, duplicates: 0 })
    t.match((await read(patient, other, 'offset=first')).messages, exactly({ body: String(index) }))
  })
  const { publishers, readers, connections } = patient.app.broker.stats()
  t.comment(`${publishers} publishers and ${readers} readers on ${connections} connections`)
  t.ok(publishers > 256 && readers > 256)
  t.ok(connections <= 10)
  // The broker keeps the last ids of at least 255 names, and of the other names until the segment ends.
  await inParallel(names, 50, async (index) => {
    t.same(await publishAs(index), { confirmed: 0, duplicates: 1, lastPublishingId: 7 })
  })
  await untilNothingIsLeft(patient, 60_000)
})

// What is sent again under a forgotten name is stored again, and its answer says so.
t.test('of 300 publisher names the broker forgets some with the segment, and every answer is still true', async (t) => {
  const stream = await gateway.newStream(t, { maxSegmentSizeBytes: 100_000 })
  const send = async (index: number) => {
    return await publishLines(stream, `first ${index}`, `?publisher=p${index}&firstPublishingId=1`)
  }
  await inParallel(300, 20, async (index) => { await send(index) })
  for (let segment = 0; segment < 3; segment++) await publishLines(stream, `${'x'.repeat(150_000)}\n`)
  let confirmed = 0
  let duplicates = 0
  for (let index = 0; index < 300; index++) {
    const { lastPublishingId } = JSON.parse((await gateway.get(`/v1/streams/${stream}/publishers/p${index}`)).text)
    const { json } = await send(index)
    const counts = lastPublishingId === 1 ? { confirmed: 0, duplicates: 1 } : { confirmed: 1, duplicates: 0 }
    t.same(json, { ...counts, lastPublishingId: 1 })
    if (lastPublishingId === 1) duplicates++
    else confirmed++
  }
  t.comment(`${duplicates} names known, ${confirmed} forgotten`)
  t.ok(confirmed > 0, 'some names are forgotten')
  const { messages } = await read(gateway, stream, 'offset=0&limit=10000&maxBytes=16777216')
  const stored = messages.filter(({ body }) => body.startsWith('first')).length
  t.equal(stored, 300 + confirmed, 'every answer was true')
})

t.test('a reader whose place retention has removed is told what is missing, and nothing comes twice', async (t) => {
  // A small window: a reader still has what it has read ahead.
  const gateway = await startGateway(t, { READER_WINDOW_BYTES: '65536' })
  const stream = await gateway.newStream(t, { maxSegmentSizeBytes: 50_000, maxLengthBytes: 200_000 })
  let published = 0
  const publish = async (count: number): Promise<void> => {
    await publishLines(stream, Array.from({ length: count }, () => `${published++}:${'x'.repeat(1000)}\n`).join(''))
  }
  await publish(20)
  // A reader that has read a little, a reader that waits at the end, and a consumer.
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
  t.match((await waiting).messages[0], { body: /^20:/ })
  const isForgotten = async (): Promise<boolean> => {
    return (await gateway.get(`/v1/streams/${stream}/consumers/c/offset`)).status === 404
  }
  // The broker's own records take offsets too, so the numbers of the messages are compared: without a gap none may be
  // missing.
  for (const path of [`messages?offset=${nextOffset}`, 'consumers/c/messages?']) {
    let number = 5
    let missing = 0
    let reached = 0
    for (let query = `${path}&limit=7`, isEnd = false; !isEnd;) {
      const batch: Batch = JSON.parse((await gateway.get(`/v1/streams/${stream}/${query}`)).text)
      // The broker drops an offset that retention has overtaken: then its consumer begins anew, at the first message.
      const isAnew = reached === 0 && path.startsWith('consumers') && await isForgotten()
      if (batch.gap !== undefined || isAnew) {
        const [message] = batch.messages
        const next = Number(message?.body.split(':')[0])
        t.ok(next >= number, 'nothing comes twice')
        missing += next - number // 0 when retention took only a record of the broker's own
        number = next
        if (batch.gap !== undefined) {
          t.ok(batch.gap.from >= reached && batch.gap.to < Number(message?.offset), JSON.stringify(batch.gap))
        }
      }
      for (const { offset, body } of batch.messages) {
        const isNext = offset >= reached && body.startsWith(`${number}:`)
        if (!isNext) t.fail(`offset ${offset} after ${reached}: ${body.slice(0, 10)} in place of ${number}`)
        number++
        reached = offset + 1
      }
      isEnd = batch.endOfStream
      query = `messages?offset=${batch.nextOffset}&limit=7`
    }
    // The warm reader may have all of it in memory and miss nothing: credit counts chunks, and after small chunks the
    // gateway gives credit for many.
    if (path.startsWith('consumers')) t.ok(missing > 0, `${missing} are missing`)
    t.equal(number, published, 'to the end')
  }
})

t.test('storing an offset a thousand times on an idle stream leaves a lag of 0 and the end where it is', async (t) => {
  const stream = await gateway.newStream(t)
  await publishLines(stream, 'a\nb\nc')
  const path = `/v1/streams/${stream}/consumers`
  const controller = new AbortController()
  const startMs = performance.now()
  let polls = 0
  // A poll at the end sleeps through them: only data wakes it.
  const polling = (async () => {
    for (; !controller.signal.aborted; polls++) {
      t.match(await read(gateway, stream, 'offset=3&wait=1'), { messages: exactly(), endOfStream: true })
    }
  })()
  await inParallel(1000, 10, async (index) => {
    t.equal((await gateway.request('PUT', `${path}/c${index % 10}/offset`, { json: { offset: 2 } })).status, 200)
  })
  controller.abort()
  await polling
  const seconds = (performance.now() - startMs) / 1000
  t.ok(polls <= seconds + 2, `${polls} polls of a second each in ${seconds} s`)
  t.match((await gateway.get(`${path}/c0/offset`)).json, { storedOffset: 2, lastOffset: 2, lag: 0 })
  const { json } = await gateway.get(path)
  t.match(json, { consumers: exactly(...Array.from({ length: 10 }, () => ({ storedOffset: 2, lag: 0 }))) })
  t.match(await read(gateway, stream, 'offset=0'), {
    messages: exactly({ offset: 0 }, {}, { offset: 2 }),
    endOfStream: true
  })
  const { nextOffset, messages } = await read(gateway, stream, 'offset=next')
  t.same(messages, [])
  await publishLines(stream, 'd')
  t.match((await read(gateway, stream, `offset=${nextOffset}&wait=5`)).messages, exactly({ body: 'd' }))
  t.match((await read(gateway, stream, 'offset=3&wait=5')).messages, exactly({ body: 'd' }))
})
