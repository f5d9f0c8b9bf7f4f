import t, { type Test } from 'tap'
import { startPrivateBroker } from '../support/broker.ts'
import { startGateway, type Gateway } from '../support/gateway.ts'
import { PUSH_SETTINGS } from '../support/push-gateway.ts'
import { startReceiver, type PushReceiver } from '../support/push-receiver.ts'
import { list, record } from '../support/schema-values.ts'
import { until } from '../support/until.ts'

t.setTimeout(240_000)

const MORE_THAN_ANY_DISK = '100000GB'
const { node } = await startPrivateBroker(t)
const ENV = {
  ...PUSH_SETTINGS,
  RABBITMQ_STREAM_URL: node.streamUrl,
  RABBITMQ_MANAGEMENT_URL: node.managementUrl,
  RABBITMQ_MAX_RECONNECT_DELAY_MS: '500',
  RABBITMQ_REQUEST_TIMEOUT_MS: '3000',
  PUBLISH_CONFIRM_TIMEOUT_MS: '3000'
}
const RETRY = { initialDelayMs: 200, maxDelayMs: 1000, messageAttempts: 2, maxAttempts: 50 }

interface Bench { gateway: Gateway, receiver: PushReceiver, stream: string, path: string }

async function start (t: Test, definition: object = {}): Promise<Bench> {
  const gateway = await startGateway(t, ENV)
  const receiver = await startReceiver(t)
  const stream = await gateway.newStream(t)
  const path = `/v1/streams/${stream}/subscriptions/s`
  const json = { url: receiver.url, start: 'first', retry: RETRY, commit: { everyMs: 200 }, ...definition }
  t.equal((await gateway.request('PUT', path, { json })).status, 201)
  t.teardown(async () => { await gateway.request('DELETE', path) })
  return { gateway, receiver, stream, path }
}

const bodyOf = (json: unknown): unknown => record(json)['body']

async function stateOf ({ gateway, path }: Bench): Promise<unknown> {
  return record(record((await gateway.get(path)).json)['status'])['state']
}

async function errorBodies ({ gateway, stream }: Bench): Promise<unknown[]> {
  const { status, json } = await gateway.get(`/v1/streams/${stream}_errors/messages?limit=1000`)
  return status === 200 ? list(record(json)['messages']).map(bodyOf) : []
}

t.test('out of disk space deliveries continue, and what the endpoint refuses waits for its error stream', async (t) => {
  const bench = await start(t)
  const { gateway, receiver, stream, path } = bench
  receiver.react(({ json }) => bodyOf(json) === 'poison' ? 422 : 204)
  await gateway.publish(stream, 'a', 'b', 'poison', 'c')
  await until('the first ones are delivered, and the error entry is there', async () => {
    return receiver.processed.length === 3 && (await errorBodies(bench)).length === 1
  })
  // Published now, delivered only when the endpoint is back.
  receiver.react(503)
  await gateway.publish(stream, 'd', 'poison', 'e')
  await until('the endpoint is tried', () => receiver.deliveries.some(({ json }) => bodyOf(json) === 'd'))
  await node.ctl('set_disk_free_limit', MORE_THAN_ANY_DISK)
  receiver.react(({ json }) => bodyOf(json) === 'poison' ? 422 : 204)
  await until('the message before the refused one is delivered', () => receiver.processed.length === 4)
  await until('the subscription says that it waits', async () => await stateOf(bench) === 'blocked', 60_000)
  // RabbitMQ takes what comes next on a connection that was idle when the alarm began, and only then stops reading.
  let taken = 0
  await until('definitions cannot be changed', async () => {
    const { status } = await gateway.request('PATCH', path, {
      body: '{"timeoutMs":14000}', headers: { 'content-type': 'application/merge-patch+json' }
    })
    if (status === 200) taken++
    return status === 503 || status === 504
  }, 60_000)
  t.ok(taken <= 1, `${taken} changes were taken`)
  await node.ctl('set_disk_free_limit', '50MB')
  await until('the rest is delivered', () => receiver.processed.length === 5, 60_000)
  t.same(await errorBodies(bench), ['poison', 'poison'])
  const processed = receiver.deliveries.filter(({ answered }) => answered === 204)
  t.same(processed.map(({ json }) => bodyOf(json)), ['a', 'b', 'c', 'd', 'e'])
})

t.test('the attempt number continues after a restart of everything in the middle of a backoff', async (t) => {
  const receiver = await startReceiver(t)
  receiver.react(503)
  const stream = `push-${process.pid}`
  const path = `/v1/streams/${stream}/subscriptions/s`
  const before = await startGateway(t, ENV)
  t.equal((await before.request('PUT', `/v1/streams/${stream}`)).status, 201)
  const retry = { initialDelayMs: 1500, maxDelayMs: 3000 }
  t.equal((await before.request('PUT', path, { json: { url: receiver.url, start: 'first', retry } })).status, 201)
  await before.publish(stream, 'a')
  await until('there were three attempts', () => receiver.deliveries.some(({ attempt }) => attempt === 3), 60_000)
  await before.app.close()
  const attempts = receiver.deliveries.length
  await node.stop()
  await node.start()
  const after = await startGateway(t, ENV)
  await until('there is another attempt', () => receiver.deliveries.length > attempts, 90_000)
  receiver.react(204)
  await until('it is delivered', () => receiver.processed.length === 1, 60_000)
  const numbers = receiver.deliveries.map(({ attempt }) => attempt)
  t.same(numbers, numbers.map((_, index) => index + 1))
  t.equal(new Set(receiver.deliveries.map(({ headers }) => headers['webhook-id'])).size, 1)
  await after.request('DELETE', path)
  await after.request('DELETE', `/v1/streams/${stream}`)
})

t.test('an error stream that is deleted is created again', async (t) => {
  const bench = await start(t)
  const { gateway, receiver, stream } = bench
  receiver.react(422)
  await gateway.publish(stream, 'a')
  await until('the entry is there', async () => (await errorBodies(bench)).length === 1)
  t.equal((await gateway.request('DELETE', `/v1/streams/${stream}_errors`)).status, 204)
  await gateway.publish(stream, 'b')
  await until('the next entry is there', async () => (await errorBodies(bench)).join() === 'b', 60_000)
})

t.test('a stream that is deleted and created anew is delivered from its start', async (t) => {
  const bench = await start(t)
  const { gateway, receiver, stream } = bench
  await gateway.publish(stream, 'a', 'b', 'c')
  await until('the old messages are delivered', () => receiver.processed.length === 3)
  t.equal((await gateway.request('DELETE', `/v1/streams/${stream}`)).status, 204)
  t.equal((await gateway.request('PUT', `/v1/streams/${stream}`)).status, 201)
  await gateway.publish(stream, 'd', 'e')
  const delivered = (): unknown[] => receiver.deliveries.map(({ json }) => bodyOf(json))
  await until('the new ones are delivered', () => delivered().includes('e'), 90_000)
  t.same(delivered(), ['a', 'b', 'c', 'd', 'e'])
  const ids = receiver.deliveries.map(({ headers }) => headers['webhook-id'])
  t.equal(new Set(ids).size, 5, 'and have other ids than those at the same offsets before')
})
