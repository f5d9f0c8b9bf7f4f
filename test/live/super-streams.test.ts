import t from 'tap'
import { exactly } from '../support/exactly.ts'
import { startGateway } from '../support/gateway.ts'
import { fieldOf, LiveClient, type LiveEvent } from '../support/live-client.ts'
import { list, record } from '../support/schema-values.ts'
import { superStreamOf } from '../support/super-stream-requests.ts'
import { manage } from '../support/super-streams.ts'
import { until } from '../support/until.ts'

t.setTimeout(120_000)

const gateway = await startGateway(t)
const pathOf = (name: string, query = ''): string => `/v1/super-streams/${name}/messages${query}`

/** The messages as `partition:offset`, of which no two are the same. */
function places (events: readonly LiveEvent[]): string[] {
  return events.map(({ data }) => `${String(fieldOf(data, 'partition'))}:${String(fieldOf(data, 'offset'))}`)
}

async function fill (name: string, counts: Record<string, number>): Promise<string[]> {
  const all: string[] = []
  for (const [suffix, count] of Object.entries(counts)) {
    await gateway.publish(`${name}-${suffix}`, ...Array.from({ length: count }, (_, n) => `${suffix} ${n}`))
    for (let offset = 0; offset < count; offset++) all.push(`${name}-${suffix}:${offset}`)
  }
  return all
}

for (const accept of ['text/event-stream', 'application/x-ndjson']) {
  t.test(`${accept}: all partitions come, each in order, and what is published later`, async (t) => {
    const name = await superStreamOf(t, '0', '1', 'eu')
    const all = await fill(name, { 0: 3, 1: 2, eu: 1 })
    const client = await LiveClient.open(t, gateway.url + pathOf(name, '?follow=true'), { accept })
    t.equal(client.response.statusCode, 200)
    await client.until('all messages', ({ messages }) => messages.length === all.length)
    t.same(places(client.messages).sort(), all)
    for (const suffix of ['0', '1', 'eu']) {
      const own = places(client.messages).filter((place) => place.startsWith(`${name}-${suffix}:`))
      t.same(own, [...own].sort())
    }
    await client.until('the end', (client) => client.named('state').some((state) =>
      fieldOf(state, 'endOfStream') === true && fieldOf(state, 'lag') === 0))
    await gateway.publish(`${name}-eu`, 'later')
    await client.until('the later one', ({ messages }) => messages.length === all.length + 1)
    t.match(client.messages.at(-1)?.data, { partition: `${name}-eu`, offset: 1, body: 'later' })
    if (accept === 'application/x-ndjson') {
      t.ok(client.messages.every(({ data }) => typeof fieldOf(data, 'nextCursor') === 'string'))
    }
  })
}

t.test('a client that is cut after any event and resumes with its id gets the rest, and nothing again', async (t) => {
  const name = await superStreamOf(t, '0', '1', 'a-very-long-end-of-a-name-of-a-partition')
  const all = await fill(name, { 0: 4, 1: 3, 'a-very-long-end-of-a-name-of-a-partition': 2 })
  const whole = await LiveClient.open(t, gateway.url + pathOf(name))
  await whole.until('all', ({ messages }) => messages.length === all.length)
  whole.close()
  for (const [index, event] of whole.events.entries()) {
    const had = places(whole.events.slice(0, index + 1).filter(({ name }) => name === undefined))
    const missing = all.filter((place) => !had.includes(place)).sort()
    const headers = { 'last-event-id': event.id ?? '' }
    const rest = await LiveClient.open(t, gateway.url + pathOf(name), headers)
    await rest.until('the end', ({ events }) => events.some(({ data }) => fieldOf(data, 'endOfStream') === true))
    await rest.until('the rest', ({ messages }) => messages.length >= missing.length)
    t.same(places(rest.messages).sort(), missing, `cut after event ${index}`)
    rest.close()
    // The same place is a cursor of a batch, too.
    const { json, status } = await gateway.get(pathOf(name, `?cursor=${event.id}`))
    t.equal(status, 200)
    const batch = list(record(json)['messages']).map((data) => ({ name: undefined, id: undefined, data }))
    t.same(places(batch).sort(), missing)
  }
})

t.test('an id that is not of this super stream is refused', async (t) => {
  const [name, other] = [await superStreamOf(t, '0'), await superStreamOf(t, '0')]
  await fill(name, { 0: 2 })
  const client = await LiveClient.open(t, gateway.url + pathOf(name, '?limit=1'))
  await client.until('the end', ({ isClosed }) => isClosed)
  const id = client.lastId ?? ''
  t.match(id, /./)
  const accept = 'text/event-stream'
  const of = async (superStream: string, id: string): Promise<unknown> =>
    fieldOf((await gateway.get(pathOf(superStream), { accept, 'last-event-id': id })).json, 'code')
  const message = client.messages[0]?.id ?? ''
  const half = message.split('.').slice(0, 2).join('.')
  for (const bad of ['0', '1', 'x'.repeat(40), `${message}.1`, `${message}x`, half, 'a.b.c']) {
    t.equal(await of(name, bad), 'cursor_invalid', bad)
  }
  t.equal(await of(other, message), 'cursor_invalid')
  t.equal((await gateway.get(pathOf(other, `?lastEventId=${message}`), { accept })).status, 400)
})

t.test('limit ends with a bye that says where to go on', async (t) => {
  const name = await superStreamOf(t, '0', '1')
  const all = await fill(name, { 0: 3, 1: 3 })
  const seen: string[] = []
  let query = '?limit=4'
  for (const accept of ['text/event-stream', 'application/x-ndjson']) {
    const client = await LiveClient.open(t, gateway.url + pathOf(name, `${query}&follow=true`), { accept })
    if (seen.length === 4) await client.until('the rest', ({ messages }) => messages.length === 2)
    else await client.until('the end', ({ isClosed }) => isClosed)
    seen.push(...places(client.messages))
    const [bye] = client.named('bye')
    if (seen.length === 4) t.match(bye, { reason: 'limit', nextCursor: /^[\w-]+$/ })
    query = `?limit=4&lastEventId=${String(fieldOf(bye, 'nextCursor'))}`
  }
  t.same(seen.sort(), all)
})

t.test('one full partition does not keep the others back', async (t) => {
  const name = await superStreamOf(t, '0', '1', '2')
  for (let chunk = 0; chunk < 8; chunk++) {
    await gateway.publish(`${name}-0`, ...Array.from({ length: 20 }, () => 'x'.repeat(20_000)))
  }
  await fill(name, { 1: 1, 2: 1 })
  const client = await LiveClient.open(t, gateway.url + pathOf(name))
  await client.until('all', ({ messages }) => messages.length === 162)
  const order = client.messages.map(({ data }) => fieldOf(data, 'partition'))
  for (const small of [`${name}-1`, `${name}-2`]) t.ok(order.indexOf(small) < 80, `${order.indexOf(small)}`)
})

t.test('a client that stands still while much is published gets everything once, in order', async (t) => {
  const behind = await startGateway(t, { READER_WINDOW_BYTES: '65536' })
  const suffixes = ['0', '1', '2']
  const name = await superStreamOf(t, ...suffixes)
  const client = await LiveClient.open(t, behind.url + pathOf(name))
  await client.until('the opening', ({ events }) => events.length > 0)
  client.response.pause()
  const body = `${'x'.repeat(1000)}\n`.repeat(1000)
  for (let times = 0; times < 5; times++) {
    for (const suffix of suffixes) {
      const url = `${behind.url}/v1/streams/${name}-${suffix}/messages/lines`
      t.equal((await fetch(url, { method: 'POST', body })).status, 200)
    }
  }
  client.response.resume()
  await client.until('everything', ({ messages }) => messages.length >= 15_000, 30_000)
  for (const suffix of suffixes) {
    const own = client.messages.filter(({ data }) => fieldOf(data, 'partition') === `${name}-${suffix}`)
    t.same(own.map(({ data }) => fieldOf(data, 'offset')), Array.from({ length: 5000 }, (_, offset) => offset))
  }
})

t.test('`partitions` chooses, and a filter too', async (t) => {
  const name = await superStreamOf(t, '0', '1', '2')
  await fill(name, { 0: 1, 1: 1, 2: 1 })
  await gateway.request('POST', `/v1/streams/${name}-1/messages`, {
    json: { messages: [{ body: 'wanted', properties: { subject: 's' } }, { body: 'not' }] }
  })
  const some = await LiveClient.open(t, gateway.url + pathOf(name, `?partitions=${name}-0,${name}-2`))
  await some.until('both', ({ messages }) => messages.length === 2)
  t.same(places(some.messages).sort(), [`${name}-0:0`, `${name}-2:0`])
  const matching = await LiveClient.open(t, gateway.url + pathOf(name, '?match.subject=s&limit=1'))
  await matching.until('the end', ({ isClosed }) => isClosed)
  t.match(matching.messages, exactly({ data: { partition: `${name}-1`, offset: 1, body: 'wanted' } }))
  const accept = 'text/event-stream'
  t.equal((await gateway.get(pathOf(name, '?partitions=nothing'), { accept })).status, 404)
})

t.test('a partition that is deleted is a gap, the others go on, and one that was added is there too', async (t) => {
  const name = await superStreamOf(t, '0', '1')
  await fill(name, { 0: 2, 1: 2 })
  const client = await LiveClient.open(t, gateway.url + pathOf(name))
  await client.until('all', ({ messages }) => messages.length === 4)
  const before = client.lastId ?? ''
  // The gateway knows the partitions for a minute, unless it learns that one does not exist.
  await manage('PUT', `queues/%2f/${name}-2`, { durable: true, arguments: { 'x-queue-type': 'stream' } })
  t.teardown(async () => { await manage('DELETE', `queues/%2f/${name}-2`) })
  await manage('POST', `bindings/%2f/e/${name}/q/${name}-2`, {
    routing_key: '2', arguments: { 'x-stream-partition-order': 2 }
  })
  await manage('DELETE', `queues/%2f/${name}-1`)
  await client.until('the gap', (client) => client.named('gap').length === 1, 30_000)
  t.same(client.named('gap'), [{ partition: `${name}-1`, from: 2, to: null }])
  await gateway.publish(`${name}-0`, 'after')
  await gateway.publish(`${name}-2`, 'added')
  await client.until('the others go on', ({ messages }) => messages.length === 6)
  t.same(places(client.messages.slice(4)).sort(), [`${name}-0:2`, `${name}-2:0`])
  const resumed = await LiveClient.open(t, gateway.url + pathOf(name), { 'last-event-id': before })
  await resumed.until('the gap', (client) => client.named('gap').length === 1)
  await resumed.until('the rest', ({ messages }) => messages.length === 2)
})

t.test('a super stream that is deleted ends the answer with a problem', async (t) => {
  const name = await superStreamOf(t, '0', '1')
  await fill(name, { 0: 1, 1: 1 })
  const client = await LiveClient.open(t, gateway.url + pathOf(name))
  await client.until('all', ({ messages }) => messages.length === 2)
  t.equal((await gateway.request('DELETE', `/v1/super-streams/${name}`)).status, 204)
  await client.until('the end', ({ isClosed }) => isClosed)
  t.match(client.named('problem'), exactly({ code: 'super_stream_not_found' }))
  t.equal((await gateway.get(pathOf(name), { accept: 'text/event-stream' })).status, 404)
})

t.test('control=false leaves the states out, and HEAD says where the answer would begin', async (t) => {
  const name = await superStreamOf(t, '0')
  await fill(name, { 0: 1 })
  const client = await LiveClient.open(t, gateway.url + pathOf(name, '?control=false&limit=1'))
  await client.until('the end', ({ isClosed }) => isClosed)
  t.same(client.named('state'), [])
  t.equal(client.messages.length, 1)
  const { status, headers } = await gateway.request('HEAD', pathOf(name), { headers: { accept: 'text/event-stream' } })
  t.equal(status, 200)
  t.match(String(headers['stream-next-cursor']), /^[\w-]+$/)
})

t.test('a consumer starts where it is in each partition, and what was taken is stored', async (t) => {
  const name = await superStreamOf(t, '0', '1')
  await fill(name, { 0: 3, 1: 2 })
  const consumer = `/v1/super-streams/${name}/consumers/c`
  const put = { json: { offsets: { [`${name}-0`]: 1 } } }
  t.equal((await gateway.request('PUT', `${consumer}/offset`, put)).status, 200)
  const client = await LiveClient.open(t, `${gateway.url}${consumer}/messages?autoCommit=true`)
  await client.until('what is left', ({ messages }) => messages.length === 3)
  t.same(places(client.messages).sort(), [`${name}-0:2`, `${name}-1:0`, `${name}-1:1`])
  await gateway.publish(`${name}-0`, 'one more')
  await client.until('one more', ({ messages }) => messages.length === 4)
  client.close()
  const last = Number(fieldOf(client.messages[3]?.data, 'offset'))
  const stored = async (): Promise<unknown> => {
    const { partitions } = record((await gateway.get(`${consumer}/offset`)).json)
    return list(partitions).map((partition) => fieldOf(partition, 'storedOffset'))
  }
  await until('it is stored', async () => JSON.stringify(await stored()) === JSON.stringify([last, 1]))

  const again = await LiveClient.open(t, `${gateway.url}${consumer}/messages`)
  await again.until('it is at the end', (client) => fieldOf(client.named('state')[0], 'endOfStream') === true)
  t.same(again.messages, [])
  const to = { json: { partitions: { [`${name}-0`]: { offset: 2 } } } }
  t.equal((await gateway.request('POST', `${consumer}/offset/reset`, to)).status, 200)
  await again.until('the reset', ({ messages }) => messages.length === 2)
  t.same(again.named('reset'), [{ partition: `${name}-0`, nextOffset: 2 }])
  t.same(places(again.messages), [`${name}-0:2`, `${name}-0:${last}`])
})
