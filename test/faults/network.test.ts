import t from 'tap'
import { batchOf, numbered, readAll, readOnce } from '../support/streams.ts'
import { publishUntilItWorks, throughProxy, untilItWorks } from '../support/through-proxy.ts'
import { until } from '../support/until.ts'
import { exactly } from '../support/exactly.ts'

t.test('what was on its way when the connection broke is unknown, and publishing works again', async (t) => {
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
  t.equal((await publishUntilItWorks(broker, stream, ['after'])).confirmed, 1)
  const after = (await readAll(direct, stream)).filter((body) => body === 'after')
  t.same(after, ['after'], 'what is confirmed is there once')
})

t.test('a named publisher sends again what was on its way: nothing is lost and nothing comes twice', async (t) => {
  const { proxy, broker, direct, stream } = await throughProxy(t)
  proxy.setLatency(3)
  const sent: string[] = ['first']
  for (let round = 0; round < 20; round++) {
    const bodies = numbered(50, round * 50)
    sent.push(...bodies)
    // A refusal before anything was sent is tried again, as a client would.
    const publishing = publishUntilItWorks(broker, stream, bodies, { publisher: 'p', firstId: round * 50 + 1 })
    await new Promise((resolve) => setTimeout(resolve, round)) // anywhere between the declaration and the confirm
    proxy.killConnections()
    const result = await publishing
    t.equal(result.confirmed + result.duplicates, 50, `round ${round}`)
  }
  t.same(await readAll(direct, stream), sent)
})

// Such a publisher is not reported as overtaken.
t.test('what a named publisher sends once more is a duplicate, also when the connection breaks', async (t) => {
  const { proxy, broker, direct, stream } = await throughProxy(t)
  const bodies = numbered(100)
  t.match(await direct.publishing.publish(stream, batchOf(bodies, 1), { publisher: 'p' }), { confirmed: 100 })
  proxy.setLatency(3)
  for (let round = 0; round < 20; round++) {
    const publishing = publishUntilItWorks(broker, stream, bodies.slice(0, 20), { publisher: 'p', firstId: 1 })
    await new Promise((resolve) => setTimeout(resolve, round * 2))
    proxy.killConnections()
    const { confirmed, duplicates, doubted } = await publishing
    t.same([confirmed + duplicates, doubted?.error.code], [20, undefined], `round ${round}`)
  }
  t.same(await readAll(direct, stream), ['first', ...bodies])
})

t.test('polls that follow nextOffset survive lost connections', async (t) => {
  const { proxy, broker, direct, stream } = await throughProxy(t)
  const bodies = numbered(2000)
  for (let from = 0; from < 2000; from += 100) {
    await direct.publishing.publish(stream, batchOf(bodies.slice(from, from + 100)))
  }
  const read: string[] = []
  for (let offset = 0, polls = 0; ; polls++) {
    if (polls % 5 === 2) proxy.killConnections()
    const from = { type: 'offset', offset } as const
    const batch = await untilItWorks(async () => await readOnce(broker, stream, from, { limit: 50 }))
    read.push(...batch.bodies)
    offset = batch.nextOffset
    if (batch.endOfStream) break
  }
  t.same(read, ['first', ...bodies])
})

t.test('a waiting poll survives a lost connection and gets its message', async (t) => {
  const { proxy, broker, direct, stream } = await throughProxy(t)
  await readOnce(broker, stream, { type: 'offset', offset: 1 })
  const waiting = readOnce(broker, stream, { type: 'offset', offset: 1 }, { waitMs: 20_000 })
  proxy.killConnections()
  await untilItWorks(async () => await broker.streams.describe(stream))
  await direct.publishing.publish(stream, batchOf(['at last']))
  t.match(await waiting, { bodies: exactly('at last'), nextOffset: 2 })
})

t.test('a waiting poll of a consumer survives a broker that is away when it looks for a reset', async (t) => {
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

t.test('a named publish whose broker goes after the confirm is unknown in time, and gives up its turn', async (t) => {
  const { proxy, broker, stream } = await throughProxy(t, { confirmTimeoutMs: 1500, requestTimeoutMs: 1500 })
  await broker.publishing.publish(stream, batchOf(['1'], 1), { publisher: 'p' })
  const session = broker.publishing.open(stream, { publisher: 'p' })
  await session.write(batchOf(['2'], 2))
  await until('it is confirmed', async () => broker.stats().publishBudgetUsedBytes === 0)
  proxy.refuse()
  proxy.killConnections()
  const startMs = performance.now()
  const error = { code: 'confirm_timeout', sideEffects: 'possible', retryable: true }
  t.match(await session.finish(), { confirmed: 0, failures: exactly(), doubted: { count: 1, error } })
  t.ok(performance.now() - startMs < 4000)
  proxy.accept()
  const again = await publishUntilItWorks(broker, stream, ['2', '3'], { publisher: 'p', firstId: 2 })
  t.match(again, { confirmed: 1, duplicates: 1 })
})

t.test('while the broker cannot be reached every request is refused quickly and without effects', async (t) => {
  const { proxy, broker, stream } = await throughProxy(t)
  proxy.refuse()
  proxy.killConnections()
  await until('the connections are closed', () => broker.stats().connections === 0)
  const refusal = { code: 'broker_unavailable', sideEffects: 'none', retryable: true }
  await t.rejects(broker.publishing.publish(stream, batchOf(['x'])), refusal)
  await t.rejects(broker.consumers.storedOffset(stream, 'c'), { code: 'broker_unavailable', retryable: true })
  await t.rejects(readOnce(broker, stream, { type: 'first' }), { code: 'broker_unavailable', retryable: true })
  t.match(await broker.status(), { state: 'down', reason: String })
  proxy.accept()
  t.match(await publishUntilItWorks(broker, stream, ['y']), { confirmed: 1 })
  const read = await untilItWorks(async () => await readOnce(broker, stream, { type: 'first' }))
  t.match(read, { bodies: exactly('first', 'y') })
  t.match(await broker.status(), { state: 'up' })
})

t.test('a message that is not confirmed in time is unknown; a late confirm does no harm', async (t) => {
  const { proxy, broker, direct, stream } = await throughProxy(t, { confirmTimeoutMs: 1500 })
  proxy.pause()
  const { confirmed, failures } = await broker.publishing.publish(stream, batchOf(['late']))
  t.equal(confirmed, 0)
  const error = { code: 'confirm_timeout', sideEffects: 'possible' }
  t.match(failures, exactly({ index: 0, status: 'unknown', error }))
  proxy.resume()
  t.equal((await publishUntilItWorks(broker, stream, ['next'])).confirmed, 1)
  t.same(await readAll(direct, stream), ['first', 'late', 'next'])
  t.equal(broker.stats().publishBudgetUsedBytes, 0)
})

t.test('what the broker does not take in time is not sent, and reported as not stored', async (t) => {
  const options = { confirmTimeoutMs: 1000, publishBudgetBytes: 256 * 1024 * 1024 }
  const { proxy, broker, direct, stream } = await throughProxy(t, options)
  proxy.pause()
  const results = await Promise.all(Array.from({ length: 40 }, async (_, index) => {
    return await broker.publishing.publish(stream, batchOf([`${index}${'x'.repeat(900_000)}`]))
  }))
  const outcomes = results.map(({ confirmed, failures: [failure] }) => confirmed === 1 ? 'confirmed' : failure?.status)
  const failed = outcomes.flatMap((outcome, index) => outcome === 'failed' ? [index] : [])
  t.ok(failed.length > 0, `${failed.length} of 40 were still here when the time was over`)
  for (const index of failed) {
    t.match(results[index]?.failures[0]?.error, { code: 'broker_timeout', sideEffects: 'none' })
  }
  proxy.resume()
  t.match(await publishUntilItWorks(broker, stream, ['end']), { confirmed: 1 })
  const [first, ...stored] = await readAll(direct, stream, 0, 5)
  t.equal(first, 'first')
  t.equal(stored.pop(), 'end')
  const indices = stored.map((body) => Number.parseInt(body, 10))
  const storedAsFailed = indices.filter((index) => outcomes[index] !== 'unknown')
  t.same(storedAsFailed, [], 'what is stored was unknown, and nothing of it was called failed')
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

t.test('an offset whose store was not answered is not reported as stored', async (t) => {
  const { proxy, broker, direct, stream } = await throughProxy(t)
  await direct.publishing.publish(stream, batchOf(['a', 'b', 'c']))
  await broker.consumers.storeOffset(stream, 'c', 1)
  proxy.pause()
  const storing = broker.consumers.storeOffset(stream, 'c', 2)
  await new Promise((resolve) => setTimeout(resolve, 50))
  proxy.forwardTo({ host: '127.0.0.1', port: 1 })
  proxy.killConnections()
  proxy.resume()
  await t.rejects(storing, { code: 'broker_unavailable' })
  t.match(await direct.consumers.storedOffset(stream, 'c'), { storedOffset: 1n })
})

t.test('what is idempotent is sent again when its connection is lost, and answered once', async (t) => {
  const { proxy, broker, direct, stream } = await throughProxy(t)
  await direct.publishing.publish(stream, batchOf(['a', 'b', 'c']))
  await broker.consumers.storeOffset(stream, 'c', 1)
  for (let round = 0; round < 3; round++) {
    proxy.pause()
    const asking = Promise.all([
      broker.consumers.storeOffset(stream, 'c', 2),
      broker.consumers.storedOffset(stream, 'c'),
      broker.streams.describe(stream),
      broker.publishing.describePublisher(stream, 'p'),
      broker.status()
    ])
    await new Promise((resolve) => setTimeout(resolve, 50))
    proxy.killConnections()
    proxy.resume()
    const [stored, found, described, publisher, status] = await asking
    t.match(stored, { storedOffset: 2n })
    t.ok(found.storedOffset === 2n || (round === 0 && found.storedOffset === 1n))
    t.match(described, { firstOffset: 0, nextOffset: Number })
    t.equal(publisher.lastPublishingId, 0n)
    t.equal(status.state, 'up')
  }
  t.match(await direct.consumers.storedOffset(stream, 'c'), { storedOffset: 2n })
  t.equal((await direct.streams.describe(stream)).nextOffset, 4 + 2, 'four messages, and each offset once')
})
