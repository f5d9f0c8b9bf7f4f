import t from 'tap'
import type { Report } from '../../src/push/status/status-record.ts'
import { startWorker } from '../../src/push/worker/worker.ts'
import type { Worker } from '../../src/push/worker/worker-options.ts'
import { startReceiver } from '../support/push-receiver.ts'
import { openSeat } from '../support/push-seat.ts'
import { startTestWorker, subscriptionOf, workerShared } from '../support/push-worker.ts'
import { batchOf, newStream, numbered, openBroker, streamOf } from '../support/streams.ts'
import { until } from '../support/until.ts'

const DOWN = 1000
const ENDPOINTS = 100

const count = (resource: string): number => process.getActiveResourcesInfo().filter((name) => name === resource).length

t.test('a thousand endpoints that are down hold a timer each and no connection, and slow no other one', async (t) => {
  const broker = openBroker(t)
  const stream = await streamOf(t, broker, 1)
  const seat = await openSeat(t)
  const shared = workerShared(t, broker)
  const before = { sockets: count('TCPSocketWrap'), timers: count('Timeout') }
  const retry = { initialDelayMs: 2000, maxDelayMs: 60_000 }
  const reports = new Map<number, Report>()
  const workers = Array.from({ length: DOWN }, (_, index): Worker => {
    // Each is an origin of its own, at which nothing listens.
    const subscription = subscriptionOf(stream, `http://127.1.${index >> 8}.${index & 255}:1025/`, { retry })
    const unit = { key: subscription.key, partition: '', redrive: '' }
    return startWorker({ unit, subscription, seat, retry: undefined, deliveryGeneration: 1 }, {
      report: (report) => { reports.set(index, report) },
      pause: () => {},
      moved: () => {},
      done: () => {}
    }, shared)
  })
  t.teardown(async () => { await Promise.all(workers.map(async (worker) => { await worker.stop('abandon', 0) })) })
  await until('all have failed twice', () => {
    return reports.size === DOWN && [...reports.values()].every(({ retry }) => (retry?.attempts ?? 0) >= 2)
  }, 60_000)
  t.ok([...reports.values()].every(({ retry }) => retry?.failure === 'endpoint'))

  const other = await streamOf(t, broker, 200)
  const receiver = await startReceiver(t)
  await startTestWorker(t, shared, subscriptionOf(other, receiver.url))
  await until('another one is delivered', () => receiver.processed.length === 200)
  t.same(receiver.processed, [...receiver.processed].sort((a, b) => a - b))
  await until('no request is in flight', () => shared.figures.inFlight === 0)
  const now = { sockets: count('TCPSocketWrap'), timers: count('Timeout') }
  t.comment({ before, now })
  t.ok(now.sockets - before.sockets < 50, `${now.sockets - before.sockets} connections more`)
  t.ok(now.timers - before.timers < 2 * DOWN, `${now.timers - before.timers} timers more`)
})

t.test('one endpoint that hangs slows none of ninety-nine others', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  const receiver = await startReceiver(t)
  receiver.react(({ path }) => path === '/hook/0' ? 'hang' : 204)
  const seat = await openSeat(t)
  const shared = workerShared(t, broker)
  const workers = Array.from({ length: ENDPOINTS }, (_, index): Worker => {
    const subscription = subscriptionOf(stream, `${receiver.url}/${index}`, { timeoutMs: 60_000 })
    const unit = { key: subscription.key, partition: '', redrive: '' }
    return startWorker({ unit, subscription, seat, retry: undefined, deliveryGeneration: 1 }, {
      report: () => {}, pause: () => {}, moved: () => {}, done: () => {}
    }, shared)
  })
  t.teardown(async () => { await Promise.all(workers.map(async (worker) => { await worker.stop('abandon', 0) })) })
  await broker.publishing.publish(stream, batchOf(numbered(20)))
  const countOf = (): number => receiver.deliveries.filter(({ answered }) => answered === 204).length
  await until('the others have everything', () => countOf() === (ENDPOINTS - 1) * 20)
  t.equal(receiver.inFlight, 1, 'while one request hangs')
  t.equal(receiver.deliveries.filter(({ path }) => path === '/hook/0').length, 1)
})
