import t from 'tap'
import { exactly } from '../support/exactly.ts'
import { openBroker, streamOf } from '../support/streams.ts'
import { until } from '../support/until.ts'
import { none, open } from './open-connection.ts'

t.test('a live subscription has what is known of its client, and null for what is not known yet', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 2)
  const { connection } = await open(t, { connectionName: 'reports of shop' })
  await connection.subscribe(1, stream, { type: 'next' }, 1, new Map([['name', 'live']]))
  const startMs = Date.now()
  const find = async (): Promise<unknown> => (await broker.consumers.list(stream)).consumers[0]
  await until('it is listed', async () => await find() !== undefined)
  const first = (await broker.consumers.list(stream)).consumers[0]?.subscriptions[0]
  t.not(first?.host, '')
  t.notMatch(first?.connectionName ?? '', '->')
  await until('the client is known', async () => {
    const { consumers } = await broker.consumers.list(stream)
    return typeof consumers[0]?.subscriptions[0]?.connectedAt === 'string'
  })
  const { consumers } = await broker.consumers.list(stream)
  t.match(consumers, exactly({ name: 'live', storedOffset: null, state: 'nothing_stored', lag: null }))
  const subscription = consumers[0]?.subscriptions[0]
  t.match(subscription, { active: true, host: /^(127\.0\.0\.1|::1)$/, connectionName: 'reports of shop' })
  t.ok(Math.abs(Date.parse(subscription?.connectedAt ?? '') - startMs) < 10_000)
  await connection.subscribe(2, stream, { type: 'next' }, 1, none)
  t.equal((await broker.consumers.list(stream)).consumers.length, 1, 'a subscription without a name is no consumer')
})

t.test('a consumer that has only read is listed by the instance that it reads from', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 2)
  await t.rejects(broker.consumers.storedOffset(stream, 'asked-for'), { code: 'consumer_offset_not_found' })
  const request = { from: { type: 'first' }, limit: 1, maxBytes: 1000, waitMs: 0 } as const
  for (const store of [undefined, 1]) {
    const batch = await broker.consumers.read(stream, 'reader', { ...request, store }, new AbortController().signal)
    batch.release()
    const { consumers } = await broker.consumers.list(stream)
    const time = /^\d{4}-\d\d-\d\dT/
    t.match(consumers, exactly({
      name: 'reader',
      storedOffset: store === undefined ? null : 1n,
      lastReadAt: time,
      lastCommitAt: store === undefined ? null : time
    }))
  }
})
