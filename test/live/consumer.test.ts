import t from 'tap'
import { exactly } from '../support/exactly.ts'
import { startGateway } from '../support/gateway.ts'
import { fieldOf, LiveClient } from '../support/live-client.ts'
import { until } from '../support/until.ts'

const gateway = await startGateway(t)
const other = await startGateway(t)
const path = (stream: string, query = ''): string => `/v1/streams/${stream}/consumers/c/messages${query}`

async function storedOffset (stream: string): Promise<unknown> {
  return fieldOf((await gateway.get(`/v1/streams/${stream}/consumers/c/offset`)).json, 'storedOffset')
}

async function store (stream: string, offset: number): Promise<number> {
  const { status } = await gateway.request('PUT', `/v1/streams/${stream}/consumers/c/offset`, { json: { offset } })
  return status
}

/** How many messages live reads have written. */
async function written (): Promise<number> {
  const { text } = await gateway.get('/metrics')
  return Number(/live_deliveries_total (\d+)/.exec(text)?.[1])
}

t.test('a consumer goes on from its stored offset, and commits itself', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 0, 1, 2, 3)
  t.equal(await store(stream, 1), 200)
  const client = await LiveClient.open(t, gateway.url + path(stream))
  await client.until('what is left', ({ messages }) => messages.length === 2)
  t.same(client.offsets, [2, 3])
  t.equal(await store(stream, 3), 200)
  client.close()
  t.equal(await storedOffset(stream), 3)
})

t.test('autoCommit stores what was taken: at the end, and every five seconds meanwhile', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 0, 1, 2)
  const client = await LiveClient.open(t, gateway.url + path(stream, '?autoCommit=true'))
  await client.until('all', ({ messages }) => messages.length === 3)
  await until('it is stored meanwhile', async () => await storedOffset(stream) === 2, 9000)
  await gateway.publish(stream, 3)
  await client.until('the next one', ({ messages }) => messages.length === 4)
  client.close()
  await until('it is stored at the end', async () => await storedOffset(stream) === client.offsets[3], 4000)

  await gateway.publish(stream, 4, 5)
  const limited = await LiveClient.open(t, gateway.url + path(stream, '?autoCommit=true&limit=1'))
  await limited.until('the end', ({ isClosed }) => isClosed)
  const [offset] = limited.offsets
  await until('it is stored at bye', async () => await storedOffset(stream) === offset, 4000)
})

t.test('autoCommit does not store what waits in the gateway for a client that does not read', async (t) => {
  const stream = await gateway.newStream(t)
  const body = 'x'.repeat(500_000)
  const COUNT = 48 // more than the buffers of a connection take
  for (let n = 0; n < COUNT; n++) t.equal((await gateway.publish(stream, body)).status, 200)
  const before = await written()
  const client = await LiveClient.open(t, gateway.url + path(stream, '?autoCommit=true'))
  client.response.pause()
  const stored = await until('something is stored', async () => {
    const offset = await storedOffset(stream)
    return typeof offset === 'number' && offset
  })
  const count = await written() - before
  t.ok(count < COUNT, 'it waits')
  t.ok(stored + 1 < count, `${stored + 1} of ${count} messages that were written are stored`)
  client.response.resume()
  await client.until('all', ({ messages }) => messages.length === COUNT)
  client.close()
  await until('all is stored', async () => await storedOffset(stream) === COUNT - 1)
})

t.test('a reset through this gateway moves a live consumer at once, also forward', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 0, 1, 2)
  const client = await LiveClient.open(t, gateway.url + path(stream, '?autoCommit=true'))
  await client.until('all', ({ messages }) => messages.length === 3)
  await gateway.request('POST', `/v1/streams/${stream}/consumers/c/offset/reset`, { json: { to: 'first' } })
  await client.until('all again', ({ messages }) => messages.length === 6)
  t.same(client.offsets, [0, 1, 2, 0, 1, 2])
  t.match(client.named('reset'), exactly({ nextOffset: 0 }))
})

t.test('a reset back through another gateway moves a live consumer, and autoCommit does not undo it', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 0, 1, 2, 3)
  const client = await LiveClient.open(t, gateway.url + path(stream, '?autoCommit=true'))
  await client.until('all', ({ messages }) => messages.length === 4)
  await until('it is stored', async () => await storedOffset(stream) === 3, 9000)
  const to = { json: { to: { offset: 2 } } }
  const { status } = await other.request('POST', `/v1/streams/${stream}/consumers/c/offset/reset`, to)
  t.equal(status, 200)
  await client.until('the reset', ({ messages }) => messages.length >= 6)
  t.same(client.offsets, [0, 1, 2, 3, 2, 3])
})

t.test('what is not for live reads is refused, and the other way round', async (t) => {
  const stream = await gateway.newStream(t)
  const refused = async (query: string, accept: string): Promise<unknown> =>
    fieldOf((await gateway.get(path(stream, query), { accept })).json, 'errors')
  for (const name of ['wait=1', 'maxBytes=9', 'commit=1']) {
    t.match(await refused(`?${name}`, 'text/event-stream'), exactly({ pointer: `/query/${name.split('=', 1)}` }), name)
  }
  for (const name of ['heartbeat=5', 'control=false', 'errors=event', 'lastEventId=1', 'offset=1']) {
    t.match(await refused(`?${name}`, 'application/json'), exactly({ pointer: `/query/${name.split('=', 1)}` }), name)
  }
  t.equal((await gateway.get(path(stream, '?follow=true'), { accept: 'application/json' })).status, 406)
})
