import { createServer, type Socket } from 'node:net'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { startReceiver } from '../support/push-receiver.ts'
import { startTestWorker, subscriptionOf, workerShared } from '../support/push-worker.ts'
import { batchOf, newStream, openBroker, readAll, readOnce, streamOf } from '../support/streams.ts'
import { until } from '../support/until.ts'

const offsetsOf = (body: Buffer): number[] => {
  const { messages }: { messages: Array<{ offset: number }> } = JSON.parse(body.toString())
  return messages.map(({ offset }) => offset)
}

t.test('a message that is refused is tried again with the same id, and then is in the error stream', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 3)
  const receiver = await startReceiver(t)
  receiver.react(({ offset }) => offset === 1 ? { status: 422, body: 'no such order' } : 204)
  const { seat } = await startTestWorker(t, workerShared(t, broker), subscriptionOf(stream, receiver.url))
  await until('all are settled', () => seat.stores.at(-1) === 2)
  t.same(receiver.deliveries.map(({ offset, attempt }) => [offset, attempt]), [[0, 1], [1, 1], [1, 2], [2, 1]])
  t.equal(receiver.deliveries[1]?.headers['webhook-id'], receiver.deliveries[2]?.headers['webhook-id'])
  t.same(await readAll(broker, `${stream}_errors`), ['message 1'])
  await broker.streams.delete(`${stream}_errors`)
})

t.test('one poison message of a batch of 64 is found by halves', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 64)
  const receiver = await startReceiver(t)
  receiver.react(({ body }) => offsetsOf(body).includes(41) ? 400 : 204)
  const subscription = subscriptionOf(stream, receiver.url, {
    batch: { maxMessages: 64 }, retry: { messageAttempts: 1 }, onFailure: 'drop'
  })
  const shared = workerShared(t, broker)
  const { seat } = await startTestWorker(t, shared, subscription)
  await until('all are settled', () => seat.stores.at(-1) === 63)
  t.ok(receiver.deliveries.length <= 14, `${receiver.deliveries.length} requests`)
  t.match(shared.figures, { delivered: 63, dropped: 1 })
})

t.test('an outage is waited out, and nothing goes to the error stream', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 5)
  const receiver = await startReceiver(t)
  let calls = 0
  receiver.react(() => ++calls <= 6 ? 503 : 204)
  const { seat, reports } = await startTestWorker(t, workerShared(t, broker), subscriptionOf(stream, receiver.url))
  await until('all are settled', () => seat.stores.at(-1) === 4)
  t.same(receiver.deliveries.slice(0, 7).map(({ attempt }) => attempt), [1, 2, 3, 4, 5, 6, 7])
  t.ok(reports.some(({ state, retry }) => state === 'failing' && (retry?.attempts ?? 0) > 3))
  await t.rejects(broker.streams.describe(`${stream}_errors`), { code: 'stream_not_found' })
})

t.test('a port at which nothing listens is an outage', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 1)
  const closed = await startReceiver(t)
  await closed.close()
  const { reported } = await startTestWorker(t, workerShared(t, broker), subscriptionOf(stream, closed.url))
  const { retry } = await reported('it fails', ({ retry }) => (retry?.attempts ?? 0) >= 4)
  t.match(retry, { failure: 'endpoint', error: /ECONNREFUSED/ })
  const back = await startReceiver(t, closed.port)
  await back.received(1)
})

t.test('410 pauses the subscription at once, and the message is kept', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 2)
  const receiver = await startReceiver(t)
  receiver.react(410)
  const { pauses, reported, seat } =
    await startTestWorker(t, workerShared(t, broker), subscriptionOf(stream, receiver.url))
  t.match(await reported('it has stopped', ({ state }) => state === 'stopped'), { reason: 'gone', nextOffset: 0 })
  t.same(pauses, ['gone'])
  t.equal(receiver.deliveries.length, 1)
  t.same(seat.stores, [])
})

t.test('an endpoint that asks for a year is asked again after an hour, one that names the past soon', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 1)
  const receiver = await startReceiver(t)
  receiver.react(({ attempt }) => ({
    status: 429,
    headers: { 'retry-after': attempt === 1 ? new Date(0).toUTCString() : '31536000' }
  }))
  const { reported } = await startTestWorker(t, workerShared(t, broker), subscriptionOf(stream, receiver.url))
  const { retry } = await reported('the second try', ({ retry }) => retry?.attempts === 2)
  t.equal((retry?.nextAttemptAt ?? 0) - (retry?.failedAt ?? 0), 3_600_000)
})

t.test('a worker continues the tries of the one before it', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 1)
  const receiver = await startReceiver(t)
  receiver.react(500)
  const subscription = subscriptionOf(stream, receiver.url, { retry: { initialDelayMs: 400, maxDelayMs: 400 } })
  const shared = workerShared(t, broker)
  const first = await startTestWorker(t, shared, subscription)
  const { retry } = await first.reported('the first try', ({ retry }) => retry !== null)
  await first.worker.stop('settle', 1000)
  const second = await startTestWorker(t, shared, subscription, { retry: retry ?? undefined, deliveryGeneration: 2 })
  await receiver.received(3)
  t.same(receiver.deliveries.map(({ attempt }) => attempt), [1, 2, 3])
  t.ok((receiver.deliveries[1]?.atMs ?? 0) - (receiver.deliveries[0]?.atMs ?? 0) >= 190, 'in its time')
  await until('the error entry', () => second.seat.stores.includes(0))
  t.same(await readAll(broker, `${stream}_errors`), ['message 0'])
  await broker.streams.delete(`${stream}_errors`)
})

t.test('a message that an operator skips is in the error stream, while it waits for its next try', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 2)
  const receiver = await startReceiver(t)
  receiver.react(({ offset }) => offset === 0 ? 503 : 204)
  const retry = { initialDelayMs: 60_000, maxDelayMs: 60_000 }
  const { worker, seat, reported } =
    await startTestWorker(t, workerShared(t, broker), subscriptionOf(stream, receiver.url, { retry }))
  await reported('the first try', ({ retry }) => retry?.offset === 0)
  worker.skip(1)
  worker.skip(0)
  await until('both are settled', () => seat.stores.at(-1) === 1)
  t.same(receiver.deliveries.map(({ offset }) => offset), [0, 1])
  const { messages } = await readOnce(broker, `${stream}_errors`, { type: 'first' })
  t.equal(messages.length, 1)
  await broker.streams.delete(`${stream}_errors`)
})

t.test('a raw endpoint that misbehaves is tried again, until it answers', async (t: Test) => {
  const answers: Array<(socket: Socket) => void> = [
    (socket) => { socket.resetAndDestroy() },
    (socket) => { socket.end() },
    (socket) => { socket.write('HTTP/1.1 200 OK\r\nx: ') },
    (socket) => { socket.end('HTTP/1.1 301 there\r\nlocation: http://localhost:1/\r\ncontent-length: 0\r\n\r\n') },
    (socket) => { socket.end('HTTP/1.1 100 Continue\r\n\r\n') },
    (socket) => { socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n', () => { socket.resetAndDestroy() }) }
  ]
  let calls = 0
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => { answers[calls++]?.(socket) })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close() })
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 1)
  const subscription = subscriptionOf(stream, `http://127.0.0.1:${port}/`, {
    timeoutMs: 300, retry: { maxAttempts: 20, initialDelayMs: 10, maxDelayMs: 20 }
  })
  const { seat, reports } = await startTestWorker(t, workerShared(t, broker), subscription)
  await until('it is settled', () => seat.stores.includes(0))
  t.equal(calls, answers.length)
  const classes = [...new Set(reports.map(({ retry }) => retry?.failure))]
  t.same(classes.filter((name) => name !== undefined).sort(), ['ambiguous', 'endpoint'])
})

t.test('a connection that is closed while it is kept alive costs a try and no message', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  const receiver = await startReceiver(t)
  receiver.react(({ offset, attempt }) => offset === 1 && attempt === 1 ? 'reset' : 204)
  const { seat } = await startTestWorker(t, workerShared(t, broker), subscriptionOf(stream, receiver.url))
  for (const body of ['a', 'b', 'c']) await broker.publishing.publish(stream, batchOf([body]))
  await until('all are settled', () => receiver.processed.length === 3)
  t.same(receiver.processed, [...new Set(receiver.processed)].sort())
  await until('the place is stored', () => (seat.stores.at(-1) ?? 0) >= 2)
})
