import t from 'tap'
import { startPrivateBroker } from '../support/broker.ts'
import { FaultProxy } from '../support/proxy.ts'
import { batchOf, newStream, numbered, openBroker, readAll, readOnce } from '../support/streams.ts'
import { publishUntilItWorks, untilItWorks } from '../support/through-proxy.ts'
import { exactly } from '../support/exactly.ts'

t.setTimeout(180_000)

t.test('everything reaches the right node behind a balancer that answers for another node each time', async (t) => {
  const { nodes } = await startPrivateBroker(t, { nodes: 3 })
  const targets = nodes.map(({ streamPort }) => ({ host: '127.0.0.1', port: streamPort }))
  const direct = openBroker(t, { hosts: targets, management: undefined })
  const balancer = await FaultProxy.listen(...targets)
  t.teardown(async () => { await balancer.close() })
  const behindBalancer = {
    hosts: [{ host: balancer.host, port: balancer.port }],
    addressMode: 'configured',
    management: undefined
  } as const
  const broker = openBroker(t, behindBalancer)

  const newBalanced = async (): Promise<string> => await newStream(t, direct, { leaderLocator: 'balanced' })
  const streams = await Promise.all(Array.from({ length: 6 }, newBalanced))
  const leaderOf = async (stream: string) => (await direct.streams.describe(stream)).leader
  const leaders = new Set(await Promise.all(streams.map(leaderOf)))
  t.ok(leaders.size > 1, `${leaders.size} nodes lead`)

  await t.test('publishing, reads, waits and stored offsets work for streams of every node', async (t) => {
    await Promise.all(streams.map(async (stream) => {
      const published = await publishUntilItWorks(broker, stream, numbered(20), { publisher: 'p', firstId: 1 })
      t.match(published, { confirmed: 20 })
      t.same(await untilItWorks(async () => await readAll(broker, stream)), numbered(20))
      const stored = await untilItWorks(async () => await broker.consumers.storeOffset(stream, 'c', 19))
      t.match(stored, { storedOffset: 19n })
      const next = { type: 'offset', offset: 20 } as const
      const waiting = untilItWorks(async () => await readOnce(broker, stream, next, { waitMs: 20_000 }))
      await direct.publishing.publish(stream, batchOf(['news']))
      t.match(await waiting, { bodies: exactly('news') })
    }))
    const { connections } = broker.stats()
    t.ok(connections <= 12, `${connections} connections: not more than a node and a purpose need`)
  })

  await t.test('when only one node answers, what it can do is done, and the rest is refused in time', async (t) => {
    const [only] = targets
    if (only === undefined) throw new Error('no node')
    balancer.forwardTo(only)
    const narrow = openBroker(t, behindBalancer)
    for (const stream of streams.slice(0, 3)) {
      const published = await narrow.publishing.publish(stream, batchOf(['from afar']))
      t.match(published, { confirmed: 1 }, 'a node passes messages on to the leader')
      const startedMs = performance.now()
      const outcome = await readOnce(narrow, stream, { type: 'first' }).catch((error: unknown) => error)
      const refusal = { code: 'broker_unavailable', sideEffects: 'none', retryable: true }
      if (outcome instanceof Error) t.match(outcome, refusal)
      else t.match(outcome, { offsets: { 0: 0 } })
      t.ok(performance.now() - startedMs < 10_000)
    }
    balancer.forwardTo(...targets)
    for (const stream of streams.slice(0, 3)) {
      t.equal((await untilItWorks(async () => await readAll(narrow, stream))).at(-1), 'from afar')
    }
  })
})
