import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import type { Gateway } from '../support/gateway.ts'
import { startPushGateway } from '../support/push-gateway.ts'
import { startReceiver, type PushReceiver } from '../support/push-receiver.ts'
import { until } from '../support/until.ts'

const MIB = 1024 * 1024

t.test('subscriptions of more streams than MAX_READERS are all delivered, and requests can still read', async (t) => {
  const gateway = await startPushGateway(t, { MAX_READERS: '4' })
  const receiver = await startReceiver(t)
  const streams = await subscribedStreams(t, gateway, receiver, 12)
  // Each is at the end of its stream, with a reader.
  await publishToEach(gateway, receiver, streams)
  await publishToEach(gateway, receiver, streams)
  for (const stream of streams) {
    const read = await gateway.get(`/v1/streams/${stream}/messages/lines?offset=first&limit=10`)
    t.equal(read.status, 200, read.text)
    t.equal(read.text, 'hello\nhello\n')
  }
})

t.test('idle subscriptions hold no room for chunks that do not come', async (t) => {
  // Room for two first chunks, and for four of workers.
  const gateway = await startPushGateway(t, { READ_BUDGET_BYTES: String(2 * MIB) })
  const receiver = await startReceiver(t)
  const streams = await subscribedStreams(t, gateway, receiver, 12)
  await publishToEach(gateway, receiver, streams)
})

t.test('what workers have read does not take the room of others', async (t) => {
  const gateway = await startPushGateway(t, { READ_BUDGET_BYTES: String(2 * MIB) })
  const receiver = await startReceiver(t)
  const streams = await subscribedStreams(t, gateway, receiver, 8)
  const line = 'x'.repeat(1000)
  // Together more than the budget of their readers.
  for (let round = 1; round <= 3; round++) {
    for (const stream of streams) await publish(gateway, stream, `${line}\n`.repeat(100))
    await receiver.received(round * streams.length * 100, 20_000)
  }
  const [late = ''] = await subscribedStreams(t, gateway, receiver, 1)
  await publish(gateway, late, 'hello')
  await receiver.received(3 * streams.length * 100 + 1, 20_000)
})

async function subscribedStreams (
  t: Test, gateway: Gateway, receiver: PushReceiver, count: number
): Promise<string[]> {
  const streams = Array.from({ length: count }, () => `push-${randomUUID()}`)
  await Promise.all(streams.map(async (stream) => {
    await gateway.request('PUT', `/v1/streams/${stream}`, { json: {} })
    t.teardown(async () => { await gateway.request('DELETE', `/v1/streams/${stream}`) })
    const made = await gateway.request('PUT', `/v1/streams/${stream}/subscriptions/billing`, {
      json: { url: receiver.url, start: 'first', onFailure: 'drop' }
    })
    t.equal(made.status, 201, made.text)
  }))
  return streams
}

async function publishToEach (gateway: Gateway, receiver: PushReceiver, streams: readonly string[]): Promise<void> {
  const before = receiver.deliveries.length
  await Promise.all(streams.map(async (stream) => { await publish(gateway, stream, 'hello') }))
  await receiver.received(before + streams.length, 20_000)
  const names = new Set(receiver.deliveries.slice(before).map(({ headers }) => headers['stream-name']))
  await until('each stream was delivered', () => streams.every((stream) => names.has(stream)))
}

async function publish (gateway: Gateway, stream: string, lines: string): Promise<void> {
  const { status, text } = await gateway.request('POST', `/v1/streams/${stream}/messages/lines`, {
    headers: { 'content-type': 'text/plain' }, body: lines
  })
  if (status !== 200) throw new Error(text)
}
