import t from 'tap'
import { batchOf, numbered, readAll, readOnce } from '../support/streams.ts'
import { publishUntilItWorks, throughProxy, untilItWorks } from '../support/through-proxy.ts'
import { until } from '../support/until.ts'
import { exactly } from '../support/exactly.ts'

t.test('over a slow line everything takes longer, and nothing else changes', async (t) => {
  const { proxy, broker, stream } = await throughProxy(t)
  proxy.setLatency(50)
  t.match(await broker.publishing.publish(stream, batchOf(numbered(100))), { confirmed: 100 })
  const named = await broker.publishing.publish(stream, batchOf(numbered(100, 100), 1), { publisher: 'p' })
  t.match(named, { confirmed: 100 })
  t.match(await broker.consumers.storeOffset(stream, 'c', 5), { storedOffset: 5n })
  t.same(await readAll(broker, stream), ['first', ...numbered(200)])
})

t.test('a line that lets every byte through by itself lets everything through', async (t) => {
  const { proxy, broker, direct, stream } = await throughProxy(t)
  // RabbitMQ closes a connection whose handshake does not come frame by frame, so only what it sends comes in pieces.
  proxy.setTrickle('received')
  proxy.killConnections()
  await until('the connections are closed', () => broker.stats().connections === 0)
  t.match(await publishUntilItWorks(broker, stream, ['handshake']), { confirmed: 1 })
  const read = await untilItWorks(async () => await readOnce(broker, stream, { type: 'first' }))
  t.match(read, { bodies: exactly('first', 'handshake') })
  const reset = await untilItWorks(async () => await broker.consumers.resetOffset(stream, 'c', { type: 'first' }))
  t.match(reset, { nextOffset: 0n })
  proxy.setTrickle('both')
  t.match(await publishUntilItWorks(broker, stream, numbered(50)), { confirmed: 50 })
  const stored = await untilItWorks(async () => await broker.consumers.storeOffset(stream, 'c', 5))
  t.match(stored, { storedOffset: 5n })
  t.same(await readAll(broker, stream), ['first', 'handshake', ...numbered(50)])
  t.same(await readAll(direct, stream), ['first', 'handshake', ...numbered(50)])
})

t.test('a reset in the middle of any frame loses and repeats nothing of a read', async (t) => {
  const { proxy, broker, direct, stream } = await throughProxy(t)
  const bodies = numbered(160)
  for (let from = 0; from < 160; from += 20) {
    await direct.publishing.publish(stream, batchOf(bodies.slice(from, from + 20)))
  }
  const read: string[] = []
  let offset = 0
  let cuts = 0
  for (let isAtEnd = false; !isAtEnd; cuts++) {
    proxy.cutAfter(900 + cuts * 37, 'reset') // a handshake takes less, a chunk more
    proxy.killConnections()
    const batch = await readOnce(broker, stream, { type: 'offset', offset }, { limit: 25 }).catch((error: unknown) => {
      t.match(error, { code: 'broker_unavailable', sideEffects: 'none', retryable: true })
    })
    if (cuts % 2 === 1) proxy.cutNothing() // otherwise it would never get further
    if (batch === undefined) continue
    read.push(...batch.bodies)
    offset = batch.nextOffset
    isAtEnd = batch.endOfStream
  }
  t.same(read, ['first', ...bodies])
  t.ok(cuts > 8, `${cuts} cuts`)
})

t.test('a read whose broker vanishes without a word finds it again', async (t) => {
  // The read looks for another way for two seconds: enough for more than one request without an answer.
  const { proxy, broker, stream } = await throughProxy(t, { requestTimeoutMs: 500 })
  t.same((await readOnce(broker, stream, { type: 'first' })).bodies, ['first'])
  proxy.vanish()
  const startedMs = performance.now()
  t.match(await readOnce(broker, stream, { type: 'offset', offset: 1 }), { bodies: exactly(), endOfStream: true })
  t.ok(performance.now() - startedMs < 8000)
  const asking = broker.consumers.storedOffset(stream, 'c')
  await t.rejects(asking, { code: 'consumer_offset_not_found' }, 'over a connection of its own')
})

t.test('a waiting poll whose broker vanishes without a word says so in the end, and the next one works', async (t) => {
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

t.test('what was published to a broker that vanishes is unknown, and the next message is confirmed', async (t) => {
  const { proxy, broker, direct, stream } = await throughProxy(t, { requestTimeoutMs: 1000, confirmTimeoutMs: 1500 })
  await broker.publishing.publish(stream, batchOf(['named'], 1), { publisher: 'p' })
  proxy.vanish()
  const startedMs = performance.now()
  const [unnamed, named] = await Promise.all([
    broker.publishing.publish(stream, batchOf(['lost'])),
    broker.publishing.publish(stream, batchOf(['again'], 2), { publisher: 'p' }).catch((error: unknown) => error)
  ])
  t.ok(performance.now() - startedMs < 8000)
  const error = { code: 'confirm_timeout', sideEffects: 'possible' }
  const unknown = { confirmed: 0, failures: exactly({ status: 'unknown', error }) }
  t.match(unnamed, unknown)
  const isRefused = named instanceof Error // when the gateway was still to ask for the last publishing id
  t.match(named, isRefused ? { code: 'broker_timeout', sideEffects: 'none' } : unknown)
  const again = performance.now()
  t.match(await publishUntilItWorks(broker, stream, ['again'], { publisher: 'p', firstId: 2 }), { confirmed: 1 })
  t.match(await publishUntilItWorks(broker, stream, ['next']), { confirmed: 1 })
  t.ok(performance.now() - again < 8000, 'long before heartbeats would notice')
  t.same(await readAll(direct, stream), ['first', 'named', 'again', 'next'])
})

t.test('a change that was asked of a broker that vanishes is unknown; a question has no side effects', async (t) => {
  const { proxy, broker, direct, stream } = await throughProxy(t, { requestTimeoutMs: 1000 })
  await broker.consumers.resetOffset(stream, 'c', { type: 'offset', offset: 1 })
  proxy.vanish()
  const failure = (error: unknown): unknown => error
  t.match(await broker.streams.delete(`${stream}-2`, true).catch(failure), { sideEffects: 'possible', retryable: true })
  t.teardown(async () => { await direct.streams.delete(`${stream}-2`).catch(() => {}) })
  t.match(await broker.consumers.storedOffset(stream, 'c').catch(failure), { sideEffects: 'none', retryable: true })
  t.match(await untilItWorks(async () => await broker.consumers.storedOffset(stream, 'c')), { storedOffset: 1n })
  t.match(await untilItWorks(async () => await broker.streams.create(`${stream}-2`, {})), { outcome: /created|exists/ })
})

t.test('a line that garbles bytes harms no other broker, and all is well when it is clear again', async (t) => {
  const timeouts = { requestTimeoutMs: 200, confirmTimeoutMs: 300, connectTimeoutMs: 500 }
  const { proxy, broker, direct, stream } = await throughProxy(t, timeouts)
  for (const oneOf of [10_000, 1000, 200, 50]) {
    proxy.garble(oneOf)
    for (let round = 0; round < 10; round++) {
      const startedMs = performance.now()
      await Promise.allSettled([
        broker.publishing.publish(stream, batchOf(numbered(10))),
        readOnce(broker, stream, { type: 'first' }),
        broker.consumers.storedOffset(stream, 'c'),
        broker.streams.describe(stream)
      ])
      t.ok(performance.now() - startedMs < 8000, 'answered in time')
    }
  }
  t.match(await direct.publishing.publish(stream, batchOf(['clear'])), { confirmed: 1 })
  proxy.garble(undefined)
  proxy.killConnections() // garbled bytes may have left them waiting for the rest of a frame that never was
  // The gateway remembers the failure of the last handshake for its pause before the next: it may be any, a broker that
  // is too old among them.
  const again = async <T>(ask: () => Promise<T | undefined>): Promise<T> => {
    return await until('the line is clear', async () => await ask().catch(() => undefined))
  }
  await again(async () => {
    const { confirmed } = await broker.publishing.publish(stream, batchOf(['clear']))
    return confirmed === 1 ? confirmed : undefined
  })
  t.same(await again(async () => await readAll(broker, stream)), await readAll(direct, stream))
  t.equal(broker.stats().publishBudgetUsedBytes, 0)
})
