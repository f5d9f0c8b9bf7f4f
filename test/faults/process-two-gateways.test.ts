import t from 'tap'
import { startGateway, type Answer, type Gateway } from '../support/gateway.ts'
import { openRaw } from '../support/raw-http.ts'
import { until } from '../support/until.ts'

// Two gateways that know nothing of each other, on one broker.
const [here, there] = [await startGateway(t), await startGateway(t)]

const EXPECTED_OUTCOMES = ['confirmed', 'duplicate', 'publisher_overtaken']

const offsetPath = (stream: string): string => `/v1/streams/${stream}/consumers/c/offset`
const linesPath = (stream: string): string => `/v1/streams/${stream}/messages/lines`
const readPath = (stream: string, more = ''): string => `/v1/streams/${stream}/consumers/c/messages?limit=3${more}`

async function publishAs (gateway: Gateway, stream: string, firstId: number, body: string, more = ''): Promise<Answer> {
  const path = `${linesPath(stream)}?publisher=p&firstPublishingId=${firstId}${more}`
  return await gateway.request('POST', path, { body })
}

async function readAtOnce (gateway: Gateway, stream: string): Promise<unknown[]> {
  return bodiesOf((await gateway.get(readPath(stream))).json)
}

async function resetHere (stream: string, to: 'first' | { offset: number }): Promise<unknown> {
  return (await here.request('POST', `${offsetPath(stream)}/reset`, { json: { to } })).json
}

async function storedText (stream: string): Promise<string> {
  return (await there.get(`${linesPath(stream)}?limit=1000`)).text
}

t.test('an offset that is stored at one gateway is where the consumer continues at the other', async (t) => {
  const stream = await here.newStream(t)
  await here.publish(stream, 0, 1, 2, 3, 4, 5, 6, 7)
  for (const [writer, reader, offset] of [[here, there, 1], [there, here, 2], [here, there, 4]] as const) {
    t.match((await writer.request('PUT', offsetPath(stream), { json: { offset } })).json, { storedOffset: offset })
    t.match((await reader.get(offsetPath(stream))).json, { storedOffset: offset, nextOffset: offset + 1 })
    t.match(await reader.get(readPath(stream)), { status: 200 })
    const back = await reader.request('PUT', offsetPath(stream), { json: { offset: 0 } })
    t.equal(back.status, 409, 'the offset does not go back there either')
  }
  t.same(await readAtOnce(here, stream), [5, 6, 7])
})

t.test('a reset at one gateway takes effect with the next read at the other, also while a poll waits', async (t) => {
  const stream = await here.newStream(t)
  await here.publish(stream, 'a', 'b', 'c')
  t.same(await readAtOnce(there, stream), ['a', 'b', 'c'])
  const waiting = there.get(readPath(stream, '&commit=2&wait=30'))
  await until('the poll waits', async () => (await here.get(offsetPath(stream))).status === 200)
  t.match(await resetHere(stream, { offset: 2 }), { nextOffset: 2 })
  t.same(await readAtOnce(there, stream), ['c'], 'while the other poll still waits at the end')
  t.match(await resetHere(stream, 'first'), { nextOffset: 0 })
  t.same(await readAtOnce(there, stream), ['a', 'b', 'c'])
  await here.publish(stream, 'd')
  // From where the consumer is now, not from where the poll began to wait.
  t.same(bodiesOf((await waiting).json), ['a', 'b', 'c'])
})

t.test('a poll that waits notices a reset at another gateway though nothing is published', async (t) => {
  const stream = await here.newStream(t)
  await here.publish(stream, 'a', 'b', 'c')
  const waiting = there.get(readPath(stream, '&commit=2&wait=60'))
  await until('the poll waits', async () => (await here.get(offsetPath(stream))).status === 200)
  await resetHere(stream, { offset: 2 })
  const resetMs = performance.now()
  t.same(bodiesOf((await waiting).json), ['c'])
  const ms = performance.now() - resetMs
  t.ok(ms < 7000, `${Math.round(ms)} ms after the reset, where it looks every five seconds`)
})

t.test('what one gateway calls confirmed is in the next read of the other, whose reader is warm', async (t) => {
  const stream = await here.newStream(t)
  const { readers } = there.app.broker.stats()
  const read: unknown[] = []
  for (let offset = 0; offset < 100; offset++) {
    t.same((await here.publish(stream, offset)).json, { confirmed: 1, duplicates: 0 })
    read.push(...bodiesOf((await there.get(`/v1/streams/${stream}/messages?offset=${offset}`)).json))
  }
  t.same(read, numbers(0, 100))
  t.ok(there.app.broker.stats().readers <= readers + 1, 'one reader has answered all of them')
})

t.test('gateways that take turns with one publisher name lose nothing and store nothing twice', async (t) => {
  const stream = await here.newStream(t)
  const publish = async (gateway: Gateway, first: number, count: number, expected?: number): Promise<unknown> => {
    const expectation = expected === undefined ? '' : `&expectedLastPublishingId=${expected}`
    return (await publishAs(gateway, stream, first, numberedLines(first, count), expectation)).json
  }
  t.match(await publish(here, 1, 10), { confirmed: 10, duplicates: 0 })
  t.match(await publish(there, 11, 10), { confirmed: 10, duplicates: 0 })
  t.match(await publish(here, 21, 10), { confirmed: 10, duplicates: 0 })
  t.match(await publish(there, 16, 20), { confirmed: 5, duplicates: 15 }, 'the other has stored these')
  t.match(await publish(here, 1, 40), { confirmed: 5, duplicates: 35 })
  const unexpected = { status: 412, code: 'expectation_failed', sideEffects: 'none', lastPublishingId: 40 }
  t.match(await publish(there, 41, 1, 35), unexpected)
  t.match(await publish(here, 41, 1, 40), { confirmed: 1 })
  t.equal(await storedText(stream), numberedLines(1, 41))
})

t.test('messages that another gateway has overtaken under their publisher name are not called stored', async (t) => {
  const stream = await here.newStream(t)
  const { messagesUnknown } = here.app.broker.stats()
  const slow = await openRaw(t, here.port)
  const chunk = (text: string): void => { slow.send(`${text.length.toString(16)}\r\n${text}\r\n`) }
  const headers = 'Host: x\r\nTransfer-Encoding: chunked\r\nConnection: close'
  slow.send(`POST ${linesPath(stream)}?publisher=p&firstPublishingId=1 HTTP/1.1\r\n${headers}\r\n\r\n`)
  chunk(numberedLines(1, 10))
  await until('the first lines are stored', async () => await storedText(stream) === numberedLines(1, 10))
  t.match((await publishAs(there, stream, 1001, 'ahead\n')).json, { confirmed: 1 })
  chunk(numberedLines(11, 10))
  slow.send('0\r\n\r\n')
  const answer = await slow.closed()
  t.match(answer, /^HTTP\/1\.1 409 /)
  t.equal(here.app.broker.stats().messagesUnknown, messagesUnknown + 20)
  t.match(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n'))), {
    code: 'publisher_overtaken',
    retryable: false,
    sideEffects: 'possible',
    lastPublishingId: 1001,
    published: { confirmed: 0, duplicates: 0, unknown: 20 }
  })
  const all = `${numberedLines(1, 10)}ahead\n`
  t.equal(await storedText(stream), all, 'the broker has dropped what came too late, and confirmed it')
})

t.test('two messages under the same publishing id cannot be told apart, and one of them is stored', async (t) => {
  const stream = await here.newStream(t)
  for (let id = 1; id <= 20; id++) {
    const answers = await Promise.all([here, there].map(async (gateway, index) => {
      return await publishAs(gateway, stream, id, `${index}:${id}\n`)
    }))
    for (const { status, json } of answers) {
      t.match({ status, json }, { status: 200, json: { confirmed: Number, duplicates: Number } })
    }
  }
  const stored = (await storedText(stream)).split('\n').slice(0, -1)
  t.same(stored.map((line) => line.split(':')[1]), numbers(1, 20).map(String))
})

// They publish message by message, each with a publishing id of its own.
t.test('what two gateways publish at once under one name is stored when it is called confirmed', async (t) => {
  const stream = await here.newStream(t)
  let lastId = 0
  const confirmed: string[] = []
  const codes = new Map<unknown, number>()
  const publish = async (gateway: Gateway, worker: number): Promise<void> => {
    for (let turn = 0; turn < 25; turn++) {
      const id = ++lastId
      const { json } = await publishAs(gateway, stream, id, `${worker}:${id}\n`)
      if (isRecord(json) && json['confirmed'] === 1) confirmed.push(`${worker}:${id}`)
      const outcome = isRecord(json) ? json['code'] ?? (json['confirmed'] === 1 ? 'confirmed' : 'duplicate') : 'nothing'
      codes.set(outcome, (codes.get(outcome) ?? 0) + 1)
    }
  }
  await Promise.all(numbers(0, 8).map(async (worker) => await publish(worker % 2 === 0 ? here : there, worker)))
  t.comment(Object.fromEntries(codes))
  const stored = (await storedText(stream)).split('\n').slice(0, -1)
  t.same(confirmed.filter((message) => !stored.includes(message)), [], 'nothing that is called confirmed is missing')
  t.equal(new Set(stored).size, stored.length, 'nothing is stored twice')
  t.ok(confirmed.length > 0)
  const others = [...codes.keys()].filter((code) => !EXPECTED_OUTCOMES.includes(String(code)))
  t.same(others, [])
})

function bodiesOf (json: unknown): unknown[] {
  const messages: unknown[] = isRecord(json) && Array.isArray(json['messages']) ? json['messages'] : []
  return messages.map((message) => isRecord(message) && message['body'])
}

function numbers (first: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => first + index)
}

function numberedLines (first: number, count: number): string {
  return numbers(first, count).map((number) => `${number}\n`).join('')
}

function isRecord (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
