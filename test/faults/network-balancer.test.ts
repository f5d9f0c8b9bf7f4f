import t from 'tap'
import { startPrivateBroker } from '../support/broker.ts'
import { FaultProxy } from '../support/proxy.ts'
import { batchOf, newStream, numbered, openBroker, readAll, readOnce } from '../support/streams.ts'
import { untilItWorks } from '../support/through-proxy.ts'
import { exactly } from '../support/exactly.ts'

t.setTimeout(180_000)

t.test('behind a load balancer that answers for another node each time everything goes to the right one', async (t) => {
  const { nodes } = await startPrivateBroker(t, { nodes: 3 })
  const targets = nodes.map(({ streamPort }) => ({ host: '127.0.0.1', port: streamPort }))
  const direct = openBroker(t, { hosts: targets, management: undefined })
  const balancer = await FaultProxy.listen(...targets)
  t.teardown(async () => { await balancer.close() })
  const broker = openBroker(t, { hosts: [{ host: balancer.host, port: balancer.port }], addressMode: 'configured', management: undefined })

  const streams = await Promise.all(Array.from({ length: 6 }, async () => await newStream(t, direct, { leaderLocator: 'balanced' })))
  const leaders = new Set((await Promise.all(streams.map(async (stream) => (await direct.streams.describe(stream)).leader))))
  t.ok(leaders.size > 1, `${leaders.size} nodes lead`)

  await t.test('publish, read, wait and commit, for streams of every node', async (t) => {
    await Promise.all(streams.map(async (stream) => {
      t.match(await untilItWorks(async () => await broker.publishing.publish(stream, batchOf(numbered(20), 1), { publisher: 'p' })), { confirmed: 20 })
      t.same(await untilItWorks(async () => await readAll(broker, stream)), numbered(20))
      t.match(await untilItWorks(async () => await broker.consumers.storeOffset(stream, 'c', 19)), { storedOffset: 19n })
      const waiting = untilItWorks(async () => await readOnce(broker, stream, { type: 'offset', offset: 20 }, { waitMs: 20_000 }))
      await direct.publishing.publish(stream, batchOf(['news']))
      t.match(await waiting, { bodies: exactly('news') })
    }))
    t.ok(broker.stats().connections <= 12, `${broker.stats().connections} connections: not more than a node and a purpose need`)
  })

  await t.test('one that only ever answers for one node: what that one can do is done, the rest is refused in time', async (t) => {
    const [only] = targets
    if (only === undefined) throw new Error('no node')
    balancer.forwardTo(only)
    const narrow = openBroker(t, { hosts: [{ host: balancer.host, port: balancer.port }], addressMode: 'configured', management: undefined })
    for (const stream of streams.slice(0, 3)) {
      t.match(await narrow.publishing.publish(stream, batchOf(['from afar'])), { confirmed: 1 }, 'a node passes messages on to the leader')
      const startedMs = performance.now()
      const outcome = await readOnce(narrow, stream, { type: 'first' }).catch((error: unknown) => error)
      if (outcome instanceof Error) t.match(outcome, { code: 'broker_unavailable', sideEffects: 'none', retryable: true })
      else t.match(outcome, { offsets: { 0: 0 } })
      t.ok(performance.now() - startedMs < 10_000)
    }
    balancer.forwardTo(...targets)
    for (const stream of streams.slice(0, 3)) t.equal((await untilItWorks(async () => await readAll(narrow, stream))).at(-1), 'from afar')
  })
})
