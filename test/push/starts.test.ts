import { randomUUID } from 'node:crypto'
import t from 'tap'
import { subscriptionCourse } from '../../src/push/worker/course.ts'
import { exactly } from '../support/exactly.ts'
import { aDefinition, aKey } from '../support/definitions.ts'
import { startPushGateway } from '../support/push-gateway.ts'
import { startReceiver } from '../support/push-receiver.ts'
import { list, record } from '../support/schema-values.ts'
import { newSource } from '../support/subscriptions.ts'

const gateway = await startPushGateway(t)

async function publish (stream: string, ...bodies: unknown[]): Promise<void> {
  const { status } = await gateway.request('POST', `/v1/streams/${stream}/messages`, {
    json: { messages: bodies.map((body) => ({ body })) }
  })
  t.equal(status, 200)
}

t.test('what is published after a subscription was made is delivered, however late its owner begins', async (t) => {
  const receiver = await startReceiver(t)
  const { path, stream } = await newSource(t, gateway)
  await publish(stream, 'before')
  await gateway.request('PUT', `${path}/s`, { json: { url: receiver.url, paused: true } })
  await publish(stream, 'one', 'two')
  t.match((await gateway.request('POST', `${path}/s/resume`)).json, { paused: false })
  const deliveries = await receiver.received(2)
  t.same(deliveries.map(({ offset }) => offset), [1, 2])
})

t.test('after a reset the status is that of the new place at once', async (t) => {
  const receiver = await startReceiver(t)
  const { path, stream } = await newSource(t, gateway)
  await publish(stream, 1, 2, 3)
  await gateway.request('PUT', `${path}/s`, { json: { url: receiver.url, start: 'first' } })
  await receiver.received(3)
  t.match((await gateway.request('POST', `${path}/s/pause`)).json, { status: { state: 'paused', nextOffset: 3 } })
  const reset = await gateway.request('POST', `${path}/s/reset`, { json: { to: { offset: 2 } } })
  t.match(reset.json, { status: { state: 'paused', nextOffset: 2, lag: 1 } })
})

t.test('another consumer begins where the definition says, also when it was further before', async (t) => {
  const receiver = await startReceiver(t)
  const { path, stream } = await newSource(t, gateway)
  await publish(stream, 1, 2)
  const definition = { url: receiver.url, start: 'first' }
  await gateway.request('PUT', `${path}/s`, { json: definition })
  await receiver.received(2)
  await gateway.request('PUT', `${path}/s`, { json: { ...definition, consumer: 'other' } })
  const [first, , again] = await receiver.received(4)
  t.equal(again?.offset, 0)
  t.ok(Number(again?.headers['delivery-generation']) > Number(first?.headers['delivery-generation']))
})

t.test('the subscriptions of a super stream that is deleted are shown, paused, listed and deleted', async (t) => {
  const receiver = await startReceiver(t)
  const superStream = `push-${randomUUID()}`
  const path = `/v1/super-streams/${superStream}`
  t.equal((await gateway.request('PUT', path, { json: { partitions: 2 } })).status, 201)
  t.equal((await gateway.request('PUT', `${path}/subscriptions/s`, { json: { url: receiver.url } })).status, 201)
  t.equal((await gateway.request('DELETE', path)).status, 204)
  const shown = await gateway.get(`${path}/subscriptions/s`)
  t.match(shown, { status: 200, json: { status: { state: 'blocked', partitions: exactly() } } })
  const { json } = await gateway.get('/v1/subscriptions')
  t.ok(list(record(json)['subscriptions']).some((one) => record(one)['superStream'] === superStream))
  t.match(await gateway.request('POST', `${path}/subscriptions/s/pause`), { status: 200, json: { paused: true } })
  t.equal((await gateway.request('DELETE', `${path}/subscriptions/s`)).status, 204)
  await gateway.request('DELETE', `/v1/streams/${superStream}_errors`)
})

t.test('a partition that is added begins at its first message, and the others where they were', (t) => {
  const key = { ...aKey('s'), source: 'superStream' } as const
  const subscription = {
    key,
    definition: aDefinition({ start: 'next' }),
    version: 1,
    generation: 1,
    starts: { p0: 7 },
    resets: {},
    skips: {},
    redrives: []
  }
  const seat = { lost: new AbortController().signal, isFresh: () => true, store: async () => {}, stored: async () => 0 }
  const startOf = (partition: string) => subscriptionCourse({
    unit: { key, partition, redrive: '' }, subscription, seat, retry: undefined, deliveryGeneration: 1
  }).start
  t.same(startOf('p0'), { type: 'offset', offset: 7 })
  t.same(startOf('p1'), { type: 'first' })
  t.end()
})
