import { setTimeout as delay } from 'node:timers/promises'
import { Webhook } from 'standardwebhooks'
import t from 'tap'
import { newSecret } from '../../src/push/delivery/signature.ts'
import { MessageBatch } from '../../src/streams/index.ts'
import { exactly } from '../support/exactly.ts'
import { startReceiver } from '../support/push-receiver.ts'
import { startTestWorker, subscriptionOf, workerShared } from '../support/push-worker.ts'
import { Sealing } from '../../src/push/definitions/sealing.ts'
import { batchOf, newStream, numbered, openBroker, streamOf } from '../support/streams.ts'
import { until } from '../support/until.ts'

const text = (value: string) => ({ type: 'string', value }) as const

t.test('a request says what it carries, and is signed with every valid secret', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  const receiver = await startReceiver(t)
  const [secret, oldSecret, pastSecret] = [newSecret(), newSecret(), newSecret()]
  const headers = { authorization: 'Bearer abc', 'stream-offset': 'forged' }
  const subscription = subscriptionOf(stream, receiver.url, {
    secret, oldSecret: { secret: oldSecret, until: Date.now() + 3_600_000 }, headers
  })
  await startTestWorker(t, workerShared(t, broker), subscription, { deliveryGeneration: 4 })
  const batch = new MessageBatch()
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  batch.add({
    properties: { contentType: 'application/json' },
    applicationProperties: [[text('traceparent'), text(traceparent)], [text('tracestate'), text('a=1')]],
    body: Buffer.from('{"n":12345678901234567890}')
  })
  batch.add({ applicationProperties: [[text('traceparent'), text('not\r\none')]], body: Buffer.from([0xff]) })
  const split = text('a=1,\r\nb=2')
  batch.add({
    applicationProperties: [[text('traceparent'), text(traceparent)], [text('tracestate'), split]],
    body: Buffer.from('x')
  })
  await broker.publishing.publish(stream, batch)
  const [first, second, third] = await receiver.received(3)
  t.match(first?.headers, {
    'content-type': 'application/json',
    'stream-name': stream,
    'stream-offset': '0',
    'stream-subscription': 'billing',
    'delivery-attempt': '1',
    'delivery-generation': '4',
    traceparent,
    tracestate: 'a=1',
    'user-agent': 'rabbitmq-stream-gateway/1.2.3',
    authorization: 'Bearer abc',
    'webhook-id': /^msg_[\w-]{24}$/
  })
  t.ok(Math.abs(Date.parse(String(first?.headers['stream-timestamp'])) - Date.now()) < 60_000)
  t.match(first?.body.toString(), '"body":{"n":12345678901234567890},"bodyEncoding":"json"', 'it is not parsed')
  const signed = {
    'webhook-id': String(first?.headers['webhook-id']),
    'webhook-timestamp': String(first?.headers['webhook-timestamp']),
    'webhook-signature': String(first?.headers['webhook-signature'])
  }
  const body = first?.body.toString() ?? ''
  for (const valid of [secret, oldSecret]) t.ok(new Webhook(valid).verify(body, signed))
  t.throws(() => new Webhook(pastSecret).verify(body, signed))
  t.throws(() => new Webhook(secret).verify(`${body} `, signed))
  t.equal(second?.headers['traceparent'], undefined, 'what is not one is not sent')
  t.match(third?.headers, { traceparent, tracestate: undefined })
  t.not(second?.headers['webhook-id'], first?.headers['webhook-id'])
})

t.test('a secret signs until its end', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  const receiver = await startReceiver(t)
  const endsAt = Date.now() + 700
  const subscription = subscriptionOf(stream, receiver.url, { oldSecret: { secret: newSecret(), until: endsAt } })
  await startTestWorker(t, workerShared(t, broker), subscription)
  await broker.publishing.publish(stream, batchOf(['early']))
  await receiver.received(1)
  await until('the end of the secret', async () => {
    await delay(50)
    return Date.now() > endsAt
  })
  await broker.publishing.publish(stream, batchOf(['late']))
  const last = (await receiver.received(2)).at(-1)
  t.equal(String(last?.headers['webhook-signature']).split(' ').length, 1)
})

t.test('a raw delivery is the body of the message and its content type', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  const receiver = await startReceiver(t)
  const batch = new MessageBatch()
  batch.add({ properties: { contentType: 'image/png' }, body: Buffer.from([1, 2, 0, 255]) })
  batch.add({ properties: { contentType: 'bad\r\nx-forged: 1' }, body: Buffer.from('x') })
  batch.add({ body: Buffer.alloc(300_000, 'y') })
  await broker.publishing.publish(stream, batch)
  await startTestWorker(t, workerShared(t, broker), subscriptionOf(stream, receiver.url, { format: 'raw' }))
  const [image, bad, large] = await receiver.received(3)
  t.same(image?.body, Buffer.from([1, 2, 0, 255]))
  t.equal(image?.headers['content-type'], 'image/png')
  t.match(bad?.headers, { 'content-type': 'application/octet-stream' })
  t.equal(bad?.headers['x-forged'], undefined)
  t.equal(large?.body.length, 300_000)
})

t.test('a batch is an array of messages, as many as are there', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 250)
  const receiver = await startReceiver(t)
  const batch = { maxMessages: 100 }
  await startTestWorker(t, workerShared(t, broker), subscriptionOf(stream, receiver.url, { batch }))
  await until('all are there', () => receiver.deliveries.at(-1)?.body.includes('"nextOffset":250'))
  const offsets = receiver.deliveries.flatMap(({ body }) => {
    const { messages }: { messages: Array<{ offset: number }> } = JSON.parse(body.toString())
    return messages.map(({ offset }) => offset)
  })
  t.same(offsets, numbered(250).map((_, offset) => offset))
  t.ok(receiver.deliveries.length <= 5)
  t.equal(new Set(receiver.deliveries.map(({ headers }) => headers['webhook-id'])).size, receiver.deliveries.length)
})

t.test('a batch waits for more messages, and ends at its size', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  const receiver = await startReceiver(t)
  const batch = { maxMessages: 3, maxWaitMs: 60_000 }
  await startTestWorker(t, workerShared(t, broker), subscriptionOf(stream, receiver.url, { batch }))
  for (const body of ['a', 'b', 'c', 'd']) await broker.publishing.publish(stream, batchOf([body]))
  const [first] = await receiver.received(1)
  t.match(first?.json, { messages: exactly({ body: 'a' }, { body: 'b' }, { body: 'c' }), nextOffset: 3 })
  t.equal(receiver.deliveries.length, 1, 'the fourth waits')
  const small = await newStream(t, broker)
  const bySize = { maxMessages: 100, maxBytes: 50, maxWaitMs: 60_000 }
  await startTestWorker(t, workerShared(t, broker), subscriptionOf(small, receiver.url, { batch: bySize }))
  await broker.publishing.publish(small, batchOf(['x'.repeat(30), 'y'.repeat(30)]))
  t.match((await receiver.received(2))[1]?.json, { messages: exactly({ body: 'x'.repeat(30) }), nextOffset: 1 })
})

t.test('what cannot be sent blocks the subscription, and says why', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 1)
  const receiver = await startReceiver(t)
  const shared = workerShared(t, broker, { sealing: new Sealing([Buffer.alloc(32, 8)]) })
  const wrongKey = await startTestWorker(t, shared, subscriptionOf(stream, receiver.url))
  t.match(await wrongKey.reported('it is blocked', ({ state }) => state === 'blocked'), {
    reason: 'a secret cannot be decrypted: PUSH_ENCRYPTION_KEY has not its key'
  })
  const headers = { 'x-name': 'snowman \u2603' }
  const badHeader = await startTestWorker(t, workerShared(t, broker), subscriptionOf(stream, receiver.url, { headers }))
  t.match(await badHeader.reported('it is blocked', ({ state }) => state === 'blocked'), {
    reason: 'the value of the header x-name cannot be sent'
  })
  t.same(receiver.deliveries, [])
})
