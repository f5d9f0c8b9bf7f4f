import t from 'tap'
import { batchOf, numbered, readAll, readOnce } from '../support/streams.ts'
import { throughProxy, untilItWorks } from '../support/through-proxy.ts'
import { until } from '../support/until.ts'
import { exactly } from '../support/exactly.ts'

t.test('over a slow line everything takes longer, and nothing else', async (t) => {
  const { proxy, broker, stream } = await throughProxy(t)
  proxy.setLatency(50)
  t.match(await broker.publishing.publish(stream, batchOf(numbered(100))), { confirmed: 100 })
  t.match(await broker.publishing.publish(stream, batchOf(numbered(100, 100), 1), { publisher: 'p' }), { confirmed: 100 })
  t.match(await broker.consumers.storeOffset(stream, 'c', 5), { storedOffset: 5n })
  t.same(await readAll(broker, stream), ['first', ...numbered(200)])
})

t.test('a line that lets every byte through by itself lets everything through', async (t) => {
  const { proxy, broker, direct, stream } = await throughProxy(t)
  // RabbitMQ itself closes a connection whose handshake does not come frame by frame.
  proxy.setTrickle('received')
  proxy.killConnections()
  await until('the connections are closed', () => broker.stats().connections === 0)
  t.match(await untilItWorks(async () => await broker.publishing.publish(stream, batchOf(['handshake']))), { confirmed: 1 })
  t.match(await untilItWorks(async () => await readOnce(broker, stream, { type: 'first' })), { bodies: exactly('first', 'handshake') })
  t.match(await untilItWorks(async () => await broker.consumers.resetOffset(stream, 'c', { type: 'first' })), { nextOffset: 0n })
  proxy.setTrickle('both')
  t.match(await untilItWorks(async () => await broker.publishing.publish(stream, batchOf(numbered(50)))), { confirmed: 50 })
  t.match(await untilItWorks(async () => await broker.consumers.storeOffset(stream, 'c', 5)), { storedOffset: 5n })
  t.same(await readAll(broker, stream), ['first', 'handshake', ...numbered(50)])
  t.same(await readAll(direct, stream), ['first', 'handshake', ...numbered(50)])
})

t.test('a reset in the middle of any frame loses and repeats nothing of a read', async (t) => {
  const { proxy, broker, direct, stream } = await throughProxy(t)
  const bodies = numbered(160)
  for (let from = 0; from < 160; from += 20) await direct.publishing.publish(stream, batchOf(bodies.slice(from, from + 20)))
  const read: string[] = []
  let offset = 0
  let cuts = 0
  for (let isAtEnd = false; !isAtEnd; cuts++) {
    proxy.cutAfter(900 + cuts * 37, 'reset') // a handshake takes less, a chunk more
    proxy.killConnections()
    const batch = await readOnce(broker, stream, { type: 'offset', offset }, { limit: 25 }).catch((error: unknown) => {
      t.match(error, { code: 'broker_unavailable', sideEffects: 'none', retryable: true })
    })
    if (cuts % 2 === 1) proxy.cutNothing() // else it would never get anywhere
    if (batch === undefined) continue
    read.push(...batch.bodies)
    offset = batch.nextOffset
    isAtEnd = batch.endOfStream
  }
  t.same(read, ['first', ...bodies])
  t.ok(cuts > 8, `${cuts} cuts`)
})

t.test('a read whose broker is gone without a word finds it again', async (t) => {
  // It looks for another way for two seconds, which is to be time for more than one request without an answer.
  const { proxy, broker, stream } = await throughProxy(t, { requestTimeoutMs: 500 })
  t.same((await readOnce(broker, stream, { type: 'first' })).bodies, ['first'])
  proxy.vanish()
  const startedMs = performance.now()
  t.match(await readOnce(broker, stream, { type: 'offset', offset: 1 }), { bodies: exactly(), endOfStream: true })
  t.ok(performance.now() - startedMs < 8000)
  await t.rejects(broker.consumers.storedOffset(stream, 'c'), { code: 'consumer_offset_not_found' }, 'over a connection of its own')
})

t.test('a waiting poll whose broker is gone without a word says so in the end, and the next one works', async (t) => {
  const { proxy, broker, direct, stream } = await throughProxy(t, { requestTimeoutMs: 1000 })
  await readOnce(broker, stream, { type: 'offset', offset: 1 })
  const waiting = readOnce(broker, stream, { type: 'offset', offset: 1 }, { waitMs: 500 })
  await until('the poll waits', () => broker.stats().readers > 0)
  proxy.vanish()
  await direct.publishing.publish(stream, batchOf(['meanwhile']))
  const outcome = await waiting.catch((error: unknown) => error)
  if (outcome instanceof Error) t.match(outcome, { retryable: true, sideEffects: 'none' })
  else t.match(outcome, { bodies: exactly('meanwhile') })
  t.match(await readOnce(broker, stream, { type: 'offset', offset: 1 }), { bodies: exactly('meanwhile') })
})

t.test('what was published to a broker that is gone without a word is unknown, and the next message is confirmed', async (t) => {
  const { proxy, broker, direct, stream } = await throughProxy(t, { requestTimeoutMs: 1000, confirmTimeoutMs: 1500 })
  await broker.publishing.publish(stream, batchOf(['named'], 1), { publisher: 'p' })
  proxy.vanish()
  const startedMs = performance.now()
  const [unnamed, named] = await Promise.all([
    broker.publishing.publish(stream, batchOf(['lost'])),
    broker.publishing.publish(stream, batchOf(['again'], 2), { publisher: 'p' }).catch((error: unknown) => error)
  ])
  t.ok(performance.now() - startedMs < 8000)
  t.match(unnamed, { confirmed: 0, failures: exactly({ status: 'unknown', error: { code: 'confirm_timeout', sideEffects: 'possible' } }) })
  if (named instanceof Error) t.match(named, { code: 'broker_timeout', sideEffects: 'none' }, 'when the last id was to be asked for before')
  else t.match(named, { confirmed: 0, failures: exactly({ status: 'unknown', error: { code: 'confirm_timeout', sideEffects: 'possible' } }) })
  const again = performance.now()
  t.match(await untilItWorks(async () => await broker.publishing.publish(stream, batchOf(['again'], 2), { publisher: 'p' })), { confirmed: 1 })
  t.match(await untilItWorks(async () => await broker.publishing.publish(stream, batchOf(['next']))), { confirmed: 1 })
  t.ok(performance.now() - again < 8000, 'long before heartbeats would notice')
  t.same(await readAll(direct, stream), ['first', 'named', 'again', 'next'])
})

t.test('offsets and streams asked of a broker that is gone without a word: unknown where something may have changed', async (t) => {
  const { proxy, broker, direct, stream } = await throughProxy(t, { requestTimeoutMs: 1000 })
  await broker.consumers.resetOffset(stream, 'c', { type: 'offset', offset: 1 })
  proxy.vanish()
  const failure = (error: unknown): unknown => error
  t.match(await broker.streams.create(`${stream}-2`, {}).catch(failure), { sideEffects: 'possible', retryable: true })
  t.teardown(async () => { await direct.streams.delete(`${stream}-2`).catch(() => {}) })
  t.match(await broker.consumers.storedOffset(stream, 'c').catch(failure), { sideEffects: 'none', retryable: true })
  t.match(await untilItWorks(async () => await broker.consumers.storedOffset(stream, 'c')), { storedOffset: 0n })
  t.match(await untilItWorks(async () => await broker.streams.create(`${stream}-2`, {})), /created|exists/)
})

t.test('a line that garbles what comes harms nobody else, and all is well when it is clear again', async (t) => {
  const { proxy, broker, direct, stream } = await throughProxy(t, { requestTimeoutMs: 200, confirmTimeoutMs: 300, connectTimeoutMs: 500 })
  for (const oneOf of [10_000, 1000, 200, 50]) {
    proxy.garble(oneOf)
    for (let round = 0; round < 10; round++) {
      const startedMs = performance.now()
      await Promise.allSettled([
        broker.publishing.publish(stream, batchOf(numbered(10))), readOnce(broker, stream, { type: 'first' }), broker.consumers.storedOffset(stream, 'c'), broker.streams.describe(stream)
      ])
      t.ok(performance.now() - startedMs < 8000, 'answered in time')
    }
  }
  t.match(await direct.publishing.publish(stream, batchOf(['clear'])), { confirmed: 1 })
  proxy.garble(undefined)
  proxy.killConnections() // what was garbled may have left them waiting for the rest of a frame that never was
  // Whatever the last handshake was garbled to, a broker too old among it, is remembered for the pause before the next.
  const again = async <T>(ask: () => Promise<T | undefined>): Promise<T> => await until('the line is clear', async () => await ask().catch(() => undefined))
  await again(async () => {
    const { confirmed } = await broker.publishing.publish(stream, batchOf(['clear']))
    return confirmed === 1 ? confirmed : undefined
  })
  t.same(await again(async () => await readAll(broker, stream)), await readAll(direct, stream))
  t.equal(broker.stats().publishBudgetUsedBytes, 0)
})
