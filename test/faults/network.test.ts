import t from 'tap'
import { batchOf, numbered, readAll, readOnce } from '../support/streams.ts'
import { throughProxy, untilItWorks } from '../support/through-proxy.ts'
import { until } from '../support/until.ts'
import { exactly } from '../support/exactly.ts'

t.test('what was on its way when the connection broke is unknown, and publishing goes on', async (t) => {
  const { proxy, broker, direct, stream } = await throughProxy(t)
  proxy.pause()
  const underWay = broker.publishing.publish(stream, batchOf(numbered(10)))
  await until('it is on its way', () => broker.stats().publishBudgetUsedBytes > 0)
  await new Promise((resolve) => setTimeout(resolve, 50))
  proxy.killConnections()
  proxy.resume()
  const { confirmed, failures } = await underWay
  t.equal(confirmed, 0)
  t.same(failures.map(({ index, status }) => [index, status]), numbered(10).map((_, index) => [index, 'unknown']))
  t.match(failures[0]?.error, { code: 'broker_unavailable', sideEffects: 'possible', retryable: true })
  t.equal((await untilItWorks(async () => await broker.publishing.publish(stream, batchOf(['after'])))).confirmed, 1)
  t.same((await readAll(direct, stream)).filter((body) => body === 'after'), ['after'], 'what is confirmed is there once')
})

t.test('a named publisher sends again what was on its way: nothing is lost and nothing comes twice', async (t) => {
  const { proxy, broker, direct, stream } = await throughProxy(t)
  proxy.setLatency(3)
  const sent: string[] = ['first']
  for (let round = 0; round < 20; round++) {
    const bodies = numbered(50, round * 50)
    sent.push(...bodies)
    const publish = async () => await broker.publishing.publish(stream, batchOf(bodies, round * 50 + 1), { publisher: 'p' })
    const publishing = untilItWorks(publish) // a refusal before anything was sent is tried again, as a client would
    await new Promise((resolve) => setTimeout(resolve, round)) // anywhere between the declaration and the confirm
    proxy.killConnections()
    const result = await publishing
    t.equal(result.confirmed + result.duplicates, 50, `round ${round}`)
  }
  t.same(await readAll(direct, stream), sent)
})

t.test('old messages that a named publisher sends once more are stored already, also when the connection breaks: nobody has overtaken it', async (t) => {
  const { proxy, broker, direct, stream } = await throughProxy(t)
  const bodies = numbered(100)
  t.match(await direct.publishing.publish(stream, batchOf(bodies, 1), { publisher: 'p' }), { confirmed: 100 })
  proxy.setLatency(3)
  for (let round = 0; round < 20; round++) {
    const publishing = untilItWorks(async () => await broker.publishing.publish(stream, batchOf(bodies.slice(0, 20), 1), { publisher: 'p' }))
    await new Promise((resolve) => setTimeout(resolve, round * 2))
    proxy.killConnections()
    const { confirmed, duplicates, doubted } = await publishing
    t.same([confirmed + duplicates, doubted?.error.code], [20, undefined], `round ${round}`)
  }
  t.same(await readAll(direct, stream), ['first', ...bodies])
})

t.test('polls that follow nextOffset outlive lost connections', async (t) => {
  const { proxy, broker, direct, stream } = await throughProxy(t)
  const bodies = numbered(2000)
  for (let from = 0; from < 2000; from += 100) await direct.publishing.publish(stream, batchOf(bodies.slice(from, from + 100)))
  const read: string[] = []
  for (let offset = 0, polls = 0; ; polls++) {
    if (polls % 5 === 2) proxy.killConnections()
    const batch = await untilItWorks(async () => await readOnce(broker, stream, { type: 'offset', offset }, { limit: 50 }))
    read.push(...batch.bodies)
    offset = batch.nextOffset
    if (batch.endOfStream) break
  }
  t.same(read, ['first', ...bodies])
})

t.test('a waiting poll outlives a lost connection and gets its message', async (t) => {
  const { proxy, broker, direct, stream } = await throughProxy(t)
  await readOnce(broker, stream, { type: 'offset', offset: 1 })
  const waiting = readOnce(broker, stream, { type: 'offset', offset: 1 }, { waitMs: 20_000 })
  proxy.killConnections()
  await untilItWorks(async () => await broker.streams.describe(stream))
  await direct.publishing.publish(stream, batchOf(['at last']))
  t.match(await waiting, { bodies: exactly('at last'), nextOffset: 2 })
})

t.test('a waiting poll of a consumer outlives a broker that is away for longer than it takes to look again', async (t) => {
  const { proxy, broker, direct, stream } = await throughProxy(t)
  const request = { from: { type: 'next' }, limit: 10, maxBytes: 1000, waitMs: 30_000 } as const
  const waiting = broker.consumers.read(stream, 'c', request, new AbortController().signal)
  await new Promise((resolve) => setTimeout(resolve, 4000)) // the first look is after five seconds
  proxy.refuse()
  proxy.killConnections()
  await new Promise((resolve) => setTimeout(resolve, 4000))
  await direct.consumers.resetOffset(stream, 'c', { type: 'first' })
  proxy.accept()
  const batch = await waiting
  t.same(batch.messages.map(({ offset }) => offset), [0], 'from where it was reset to meanwhile')
  batch.release()
})

t.test('a publish under a name whose broker goes right after the confirm is unknown in time, and does not keep its turn', async (t) => {
  const { proxy, broker, stream } = await throughProxy(t, { confirmTimeoutMs: 1500, requestTimeoutMs: 1500 })
  await broker.publishing.publish(stream, batchOf(['1'], 1), { publisher: 'p' })
  const session = broker.publishing.open(stream, { publisher: 'p' })
  await session.write(batchOf(['2'], 2))
  await until('it is confirmed', async () => broker.stats().publishBudgetUsedBytes === 0)
  proxy.refuse()
  proxy.killConnections()
  const startMs = performance.now()
  t.match(await session.finish(), { confirmed: 0, failures: exactly(), doubted: { count: 1, error: { code: 'confirm_timeout', sideEffects: 'possible', retryable: true } } })
  t.ok(performance.now() - startMs < 4000)
  proxy.accept()
  t.match(await untilItWorks(async () => await broker.publishing.publish(stream, batchOf(['2', '3'], 2), { publisher: 'p' })), { confirmed: 1, duplicates: 1 })
})

t.test('while the broker cannot be reached everything is refused quickly and harmlessly; afterwards all is well', async (t) => {
  const { proxy, broker, stream } = await throughProxy(t)
  proxy.refuse()
  proxy.killConnections()
  await until('the connections are closed', () => broker.stats().connections === 0)
  await t.rejects(broker.publishing.publish(stream, batchOf(['x'])), { code: 'broker_unavailable', sideEffects: 'none', retryable: true })
  await t.rejects(broker.consumers.storedOffset(stream, 'c'), { code: 'broker_unavailable', retryable: true })
  await t.rejects(readOnce(broker, stream, { type: 'first' }), { code: 'broker_unavailable', retryable: true })
  t.match(await broker.status(), { state: 'down', reason: String })
  proxy.accept()
  t.match(await untilItWorks(async () => await broker.publishing.publish(stream, batchOf(['y']))), { confirmed: 1 })
  t.match(await untilItWorks(async () => await readOnce(broker, stream, { type: 'first' })), { bodies: exactly('first', 'y') })
  t.match(await broker.status(), { state: 'up' })
})

t.test('a message that is not confirmed in time is unknown; a late confirm does no harm', async (t) => {
  const { proxy, broker, direct, stream } = await throughProxy(t, { confirmTimeoutMs: 1500 })
  proxy.pause()
  const { confirmed, failures } = await broker.publishing.publish(stream, batchOf(['late']))
  t.match({ confirmed, failures }, { confirmed: 0, failures: exactly({ index: 0, status: 'unknown', error: { code: 'confirm_timeout', sideEffects: 'possible' } }) })
  proxy.resume()
  t.equal((await untilItWorks(async () => await broker.publishing.publish(stream, batchOf(['next'])))).confirmed, 1)
  t.same(await readAll(direct, stream), ['first', 'late', 'next'])
  t.equal(broker.stats().publishBudgetUsedBytes, 0)
})

t.test('what the broker does not take is not sent, and said to be not stored', async (t) => {
  const { proxy, broker, direct, stream } = await throughProxy(t, { confirmTimeoutMs: 1000, publishBudgetBytes: 256 * 1024 * 1024 })
  proxy.pause()
  const results = await Promise.all(Array.from({ length: 40 }, async (_, index) => await broker.publishing.publish(stream, batchOf([`${index}${'x'.repeat(900_000)}`]))))
  const outcomes = results.map(({ confirmed, failures: [failure] }) => confirmed === 1 ? 'confirmed' : failure?.status)
  const failed = outcomes.flatMap((outcome, index) => outcome === 'failed' ? [index] : [])
  t.ok(failed.length > 0, `${failed.length} of 40 were still here when the time was over`)
  for (const index of failed) t.match(results[index]?.failures[0]?.error, { code: 'broker_timeout', sideEffects: 'none' })
  proxy.resume()
  t.match(await untilItWorks(async () => await broker.publishing.publish(stream, batchOf(['end']))), { confirmed: 1 })
  const [first, ...stored] = await readAll(direct, stream, 0, 5)
  t.equal(first, 'first')
  t.equal(stored.pop(), 'end')
  const indices = stored.map((body) => Number.parseInt(body, 10))
  t.same(indices.filter((index) => outcomes[index] !== 'unknown'), [], 'what is stored was unknown, and nothing of it was called failed')
  t.equal(new Set(indices).size, indices.length, 'nothing is stored twice')
})

t.test('a peer that falls silent is noticed by its heartbeats', async (t) => {
  const { proxy, broker, stream } = await throughProxy(t, { heartbeatSeconds: 1 })
  proxy.pause()
  const startedMs = performance.now()
  const { failures } = await broker.publishing.publish(stream, batchOf(['x']))
  t.match(failures, exactly({ status: 'unknown', error: { code: 'broker_unavailable' } }))
  t.ok(performance.now() - startedMs < 10_000)
  t.match(await broker.status(), { state: 'down' })
})

t.test('an offset whose store got no answer is not said to be stored', async (t) => {
  const { proxy, broker, direct, stream } = await throughProxy(t)
  await broker.consumers.storeOffset(stream, 'c', 0)
  proxy.pause()
  const storing = broker.consumers.resetOffset(stream, 'c', { type: 'offset', offset: 1 })
  await new Promise((resolve) => setTimeout(resolve, 50))
  proxy.killConnections()
  proxy.resume()
  await t.rejects(storing, { code: 'broker_unavailable' })
  t.match(await direct.consumers.storedOffset(stream, 'c'), { storedOffset: 0n })
})
