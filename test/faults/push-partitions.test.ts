import t from 'tap'
import { startGateway, type Gateway } from '../support/gateway.ts'
import { FaultProxy } from '../support/proxy.ts'
import { pushSettings } from '../support/push-gateway.ts'
import { startReceiver } from '../support/push-receiver.ts'
import { record } from '../support/schema-values.ts'
import { batchOf, openBroker, newStream, testAddresses } from '../support/streams.ts'
import { until } from '../support/until.ts'

t.setTimeout(180_000)

const SUBSCRIPTIONS = 16
const COMMIT = { everyMs: 200, everyMessages: 20 }

interface Side { readonly gateway: Gateway, readonly proxy: FaultProxy }

t.test('of two instances that are cut off in turn no two deliver at a time, beyond one request', async (t) => {
  const settings = pushSettings(t)
  const start = async (): Promise<Side> => {
    const proxy = await FaultProxy.listen(testAddresses())
    t.teardown(async () => { await proxy.close() })
    const gateway = await startGateway(t, {
      ...settings,
      RABBITMQ_STREAM_URL: `rabbitmq-stream://guest:guest@127.0.0.1:${proxy.port}/%2f`,
      RABBITMQ_ADDRESS_MODE: 'configured',
      RABBITMQ_HEARTBEAT_SECONDS: '4',
      RABBITMQ_MAX_RECONNECT_DELAY_MS: '500',
      PUSH_HEARTBEAT_SECONDS: '2'
    })
    return { gateway, proxy }
  }
  const sides = [await start(), await start()] as const
  const direct = openBroker(t)
  const stream = await newStream(t, direct)
  t.teardown(async () => { await direct.streams.delete(`${stream}_errors`).catch(() => {}) })
  const receiver = await startReceiver(t)

  // What each subscription has in flight, and what was sent against the rules.
  const inFlight = new Map<string, Set<string>>()
  const newest = new Map<string, number>()
  const [overlaps, late] = [new Map<string, number>(), new Map<string, number>()]
  const add = (counts: Map<string, number>, path: string): void => { counts.set(path, (counts.get(path) ?? 0) + 1) }
  receiver.react(async ({ path, headers }) => {
    const generation = String(headers['delivery-generation'])
    const others = inFlight.get(path) ?? new Set()
    inFlight.set(path, others)
    if (others.size > 0) add(overlaps, path)
    if (Number(generation) < (newest.get(path) ?? 0)) add(late, path)
    else newest.set(path, Number(generation))
    others.add(generation)
    await new Promise((resolve) => setTimeout(resolve, 10))
    others.delete(generation)
    return 204
  })
  const paths = Array.from({ length: SUBSCRIPTIONS }, (_, index) => `/hook/${index}`)
  for (const [index, path] of paths.entries()) {
    const json = { url: new URL(path, receiver.url).href, start: 'first', commit: COMMIT }
    const { status } = await sides[0].gateway.request('PUT', `/v1/streams/${stream}/subscriptions/s-${index}`, { json })
    t.equal(status, 201)
  }
  let published = 0
  const publish = async (count: number): Promise<void> => {
    const bodies = Array.from({ length: count }, (_, index) => String(published + index))
    await direct.publishing.publish(stream, batchOf(bodies))
    published += count
  }
  const untilDelivered = async (what: string): Promise<void> => {
    await until(what, () => paths.every((path) => {
      return receiver.deliveries.some((delivery) => {
        return delivery.path === path && delivery.answered === 204 &&
          Number(record(delivery.json)['body']) === published - 1
      })
    }), 60_000)
  }
  await publish(5)
  await untilDelivered('everything is delivered')
  for (const [round, { proxy }] of sides.entries()) {
    await publish(30)
    proxy.pause()
    const beganMs = performance.now()
    await untilDelivered('the other one delivers everything')
    t.comment(`taken over after ${Math.round(performance.now() - beganMs)} ms`)
    await publish(5)
    // What it held while it was cut off comes out at once.
    proxy.resume()
    await untilDelivered(`everything is delivered after round ${round}`)
  }
  const [overlapped, lateCount] = [Math.max(0, ...overlaps.values()), Math.max(0, ...late.values())]
  t.ok(overlapped <= 2, `at most one request at each takeover: ${overlapped}`)
  t.ok(lateCount <= 2, `of a lower generation after a higher one: ${lateCount}`)
  let [missing, disordered] = [0, 0]
  for (const path of paths) {
    const numbers = receiver.deliveries
      .filter((delivery) => delivery.path === path && delivery.answered === 204)
      .map(({ json }) => Number(record(json)['body']))
    const first = [...new Set(numbers)]
    missing += published - first.length
    disordered += first.filter((number, index) => index > 0 && number < (first[index - 1] ?? 0)).length
  }
  t.equal(missing, 0, 'nothing is lost')
  t.equal(disordered, 0, 'the order is kept')
})
