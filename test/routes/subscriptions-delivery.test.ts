import { Webhook } from 'standardwebhooks'
import t from 'tap'
import { exactly } from '../support/exactly.ts'
import { startPushGateway } from '../support/push-gateway.ts'
import { startReceiver } from '../support/push-receiver.ts'
import { record } from '../support/schema-values.ts'
import { newSource } from '../support/subscriptions.ts'
import { until } from '../support/until.ts'

const gateway = await startPushGateway(t)

t.test('what is put over HTTP is delivered, signed, with its headers, and in order', async (t) => {
  const { path, stream } = await newSource(t, gateway)
  const receiver = await startReceiver(t)
  await gateway.publish(stream, 1, 2, 3)
  const created = await gateway.request('PUT', `${path}/a`, {
    json: { url: receiver.url, start: 'first', headers: { authorization: 'Bearer abc' } }
  })
  const { secrets: [secret] } = JSON.parse(created.text)
  const [first] = await receiver.received(3)
  t.same(receiver.deliveries.map(({ offset }) => offset), [0, 1, 2])
  t.match(first?.json, { offset: 0, body: 1 })
  t.equal(first?.headers.authorization, 'Bearer abc')
  const own = Object.fromEntries(Object.entries(first?.headers ?? {}).map(([name, value]) => [name, String(value)]))
  t.match(new Webhook(secret).verify(first?.body ?? '', own), { offset: 0 }, 'Standard Webhooks verifies it')
  await until('it is idle', async () => {
    const { status } = record((await gateway.get(`${path}/a`)).json)
    return record(status)['state'] === 'idle' && record(status)['lag'] === 0
  })
  t.match((await gateway.get(`/v1/streams/${stream}/consumers/push.a/offset`)).json, { lag: 0 })
})

t.test('a pause holds deliveries, a resume and a reset let them come', async (t) => {
  const { path, stream } = await newSource(t, gateway)
  const receiver = await startReceiver(t)
  await gateway.request('PUT', `${path}/a`, { json: { url: receiver.url, start: 'first' } })
  await gateway.publish(stream, 1)
  await receiver.received(1)
  t.match((await gateway.request('POST', `${path}/a/pause`)).json, {
    paused: true, status: { state: 'paused', reason: 'operator' }
  })
  await gateway.publish(stream, 2)
  t.match((await gateway.request('POST', `${path}/a/reset`, { json: { to: 'first' } })).json, { paused: true })
  t.equal(receiver.deliveries.length, 1)
  t.match((await gateway.request('POST', `${path}/a/resume`)).json, { paused: false })
  await receiver.received(3)
  const [before, again, next] = receiver.deliveries
  t.same([before?.offset, again?.offset, next?.json], [0, 0, next?.json])
  t.equal(again?.headers['webhook-id'], before?.headers['webhook-id'])
  t.ok(Number(again?.headers['delivery-generation']) > Number(before?.headers['delivery-generation']))
})

t.test('a test sends one signed request, and changes nothing', async (t) => {
  const { path } = await newSource(t, gateway)
  const receiver = await startReceiver(t)
  await gateway.request('PUT', `${path}/a`, { json: { url: receiver.url, paused: true } })
  t.match((await gateway.request('POST', `${path}/a/test`)).json, { isDelivered: true, status: 204, class: null })
  t.match(receiver.deliveries, exactly({ headers: { 'delivery-test': 'true', 'webhook-signature': /^v1,/ } }))
  receiver.react({ status: 422, body: 'no such order' })
  t.match((await gateway.request('POST', `${path}/a/test`)).json, {
    isDelivered: false, status: 422, class: 'message', error: /no such order/
  })
})

t.test('a message that fails is skipped into the error stream on demand', async (t) => {
  const { path, stream } = await newSource(t, gateway)
  const receiver = await startReceiver(t)
  receiver.react(({ offset }) => offset === 0 ? 503 : 204)
  await gateway.publish(stream, 'bad', 'good')
  await gateway.request('PUT', `${path}/a`, { json: { url: receiver.url, start: 'first' } })
  await receiver.received(1)
  t.equal((await gateway.request('POST', `${path}/a/skip`, { json: { offset: 0 } })).status, 200)
  await until('the next one is delivered', () => receiver.processed.length > 0)
  t.match((await gateway.get(`/v1/streams/${stream}_errors/messages`)).json, { messages: exactly({ body: 'bad' }) })
})
