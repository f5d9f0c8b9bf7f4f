import t from 'tap'
import { startGateway, type Gateway } from '../support/gateway.ts'
import { openRaw } from '../support/raw-http.ts'
import { until } from '../support/until.ts'

// Two gateways that know nothing of each other, on one broker.
const [here, there] = [await startGateway(t), await startGateway(t)]

const offsetPath = (stream: string): string => `/v1/streams/${stream}/consumers/c/offset`
const readPath = (stream: string, more = ''): string => `/v1/streams/${stream}/consumers/c/messages?limit=3${more}`
const bodiesOf = (json: unknown): unknown[] => isRecord(json) && Array.isArray(json['messages']) ? json['messages'].map((message: unknown) => isRecord(message) && message['body']) : []

t.test('a commit at one gateway reads back at the other, and there the consumer goes on', async (t) => {
  const stream = await here.newStream(t)
  await here.publish(stream, 0, 1, 2, 3, 4, 5, 6, 7)
  for (const [writer, reader, offset] of [[here, there, 1], [there, here, 2], [here, there, 4]] as const) {
    t.match((await writer.request('PUT', offsetPath(stream), { json: { offset } })).json, { storedOffset: offset })
    t.match((await reader.get(offsetPath(stream))).json, { storedOffset: offset, nextOffset: offset + 1 })
    t.match(await reader.get(readPath(stream)), { status: 200 })
    t.equal((await reader.request('PUT', offsetPath(stream), { json: { offset: 0 } })).status, 409, 'nor does it go back there')
  }
  t.same(bodiesOf((await here.get(readPath(stream))).json), [5, 6, 7])
})

t.test('a reset at one gateway takes effect with the next read at the other, also where its reader is warm and a poll waits', async (t) => {
  const stream = await here.newStream(t)
  await here.publish(stream, 'a', 'b', 'c')
  t.same(bodiesOf((await there.get(readPath(stream))).json), ['a', 'b', 'c'])
  const waiting = there.get(readPath(stream, '&commit=2&wait=30'))
  await until('the poll waits', async () => (await here.get(offsetPath(stream))).status === 200)
  t.match((await here.request('POST', `${offsetPath(stream)}/reset`, { json: { to: { offset: 2 } } })).json, { nextOffset: 2 })
  t.same(bodiesOf((await there.get(readPath(stream))).json), ['c'], 'while the other poll still waits at the end')
  t.match((await here.request('POST', `${offsetPath(stream)}/reset`, { json: { to: 'first' } })).json, { nextOffset: 0 })
  t.same(bodiesOf((await there.get(readPath(stream))).json), ['a', 'b', 'c'])
  await here.publish(stream, 'd')
  t.same(bodiesOf((await waiting).json), ['a', 'b', 'c'], 'which answers from where the consumer is now, not from where it began to wait')
})

t.test('a poll that waits notices a reset at another gateway though nothing is published', async (t) => {
  const stream = await here.newStream(t)
  await here.publish(stream, 'a', 'b', 'c')
  const waiting = there.get(readPath(stream, '&commit=2&wait=60'))
  await until('the poll waits', async () => (await here.get(offsetPath(stream))).status === 200)
  await here.request('POST', `${offsetPath(stream)}/reset`, { json: { to: { offset: 2 } } })
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
  t.same(read, Array.from({ length: 100 }, (_, offset) => offset))
  t.ok(there.app.broker.stats().readers <= readers + 1, 'one reader has answered all of them')
})

t.test('gateways that take turns with one publisher name lose nothing and store nothing twice', async (t) => {
  const stream = await here.newStream(t)
  const publish = async (gateway: Gateway, first: number, count: number, more = ''): Promise<unknown> => (await gateway.request('POST', `/v1/streams/${stream}/messages/lines?publisher=p&firstPublishingId=${first}${more}`, {
    body: Array.from({ length: count }, (_, index) => `${first + index}\n`).join('')
  })).json
  t.match(await publish(here, 1, 10), { confirmed: 10, duplicates: 0 })
  t.match(await publish(there, 11, 10), { confirmed: 10, duplicates: 0 })
  t.match(await publish(here, 21, 10), { confirmed: 10, duplicates: 0 })
  t.match(await publish(there, 16, 20), { confirmed: 5, duplicates: 15 }, 'what the other one has stored meanwhile is counted as what it is')
  t.match(await publish(here, 1, 40), { confirmed: 5, duplicates: 35 })
  t.match(await publish(there, 41, 1, '&expectedLastPublishingId=35'), { status: 412, code: 'expectation_failed', sideEffects: 'none', lastPublishingId: 40 })
  t.match(await publish(here, 41, 1, '&expectedLastPublishingId=40'), { confirmed: 1 })
  t.equal((await there.get(`/v1/streams/${stream}/messages/lines?limit=100`)).text, Array.from({ length: 41 }, (_, index) => `${index + 1}\n`).join(''))
})

t.test('who is overtaken by another gateway under the same publisher name is not told that its messages are stored', async (t) => {
  const stream = await here.newStream(t)
  const path = `/v1/streams/${stream}/messages/lines`
  const linesFrom = (first: number, count: number): string => Array.from({ length: count }, (_, index) => `${first + index}\n`).join('')
  const { messagesUnknown } = here.app.broker.stats()
  const slow = await openRaw(t, here.port)
  const chunk = (text: string): void => { slow.send(`${text.length.toString(16)}\r\n${text}\r\n`) }
  slow.send(`POST ${path}?publisher=p&firstPublishingId=1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n`)
  chunk(linesFrom(1, 10))
  await until('the first lines are stored', async () => (await there.get(`${path}?limit=100`)).text === linesFrom(1, 10))
  t.match((await there.request('POST', `${path}?publisher=p&firstPublishingId=1001`, { body: 'ahead\n' })).json, { confirmed: 1 })
  chunk(linesFrom(11, 10))
  slow.send('0\r\n\r\n')
  const answer = await slow.closed()
  t.match(answer, /^HTTP\/1\.1 409 /)
  t.equal(here.app.broker.stats().messagesUnknown, messagesUnknown + 20)
  t.match(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n'))), {
    code: 'publisher_overtaken', retryable: false, sideEffects: 'possible', lastPublishingId: 1001, published: { confirmed: 0, duplicates: 0, unknown: 20 }
  })
  t.equal((await there.get(`${path}?limit=100`)).text, `${linesFrom(1, 10)}ahead\n`, 'the broker has dropped what came too late, and confirmed it')
})

t.test('an id is a message: two under the same id cannot be told apart, and one of them is stored', async (t) => {
  const stream = await here.newStream(t)
  for (let id = 1; id <= 20; id++) {
    const answers = await Promise.all([here, there].map(async (gateway, index) => await gateway.request('POST', `/v1/streams/${stream}/messages/lines?publisher=p&firstPublishingId=${id}`, { body: `${index}:${id}\n` })))
    for (const { status, json } of answers) t.match({ status, json }, { status: 200, json: { confirmed: Number, duplicates: Number } })
  }
  const stored = (await here.get(`/v1/streams/${stream}/messages/lines?limit=100`)).text.split('\n').slice(0, -1)
  t.same(stored.map((line) => line.split(':')[1]), Array.from({ length: 20 }, (_, index) => String(index + 1)))
})

t.test('what two gateways publish at the same moment under one name, message by message and each with an id of its own, is stored when it is called confirmed', async (t) => {
  const stream = await here.newStream(t)
  let lastId = 0
  const confirmed: string[] = []
  const codes = new Map<unknown, number>()
  const publish = async (gateway: Gateway, worker: number): Promise<void> => {
    for (let turn = 0; turn < 25; turn++) {
      const id = ++lastId
      const { json } = await gateway.request('POST', `/v1/streams/${stream}/messages/lines?publisher=p&firstPublishingId=${id}`, { body: `${worker}:${id}\n` })
      if (isRecord(json) && json['confirmed'] === 1) confirmed.push(`${worker}:${id}`)
      const outcome = isRecord(json) ? json['code'] ?? (json['confirmed'] === 1 ? 'confirmed' : 'duplicate') : 'nothing'
      codes.set(outcome, (codes.get(outcome) ?? 0) + 1)
    }
  }
  await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map(async (worker) => await publish(worker % 2 === 0 ? here : there, worker)))
  t.comment(Object.fromEntries(codes))
  const stored = (await here.get(`/v1/streams/${stream}/messages/lines?limit=1000`)).text.split('\n').slice(0, -1)
  t.same(confirmed.filter((message) => !stored.includes(message)), [], 'nothing that is called confirmed is missing')
  t.equal(new Set(stored).size, stored.length, 'nothing is stored twice')
  t.ok(confirmed.length > 0)
  t.same([...codes.keys()].filter((code) => code !== 'confirmed' && code !== 'duplicate' && code !== 'publisher_overtaken'), [])
})

function isRecord (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
