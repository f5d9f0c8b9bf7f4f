import t, { type Test } from 'tap'
import type { SubscriptionKey } from '../../src/push/definitions/definitions.ts'
import { slotOf, unitId } from '../../src/push/unit.ts'
import { uniqueName } from '../support/broker.ts'
import { exactly } from '../support/exactly.ts'
import { batchOf, newStream, numbered, openBroker } from '../support/streams.ts'
import { newSuperStream } from '../support/super-streams.ts'
import { until } from '../support/until.ts'
import {
  definitionOf, deletePushStreamsAfter, REPORT, running, ScriptedWorkers, supervise, type Supervised
} from './supervised.ts'

interface Deployment {
  readonly workers: ScriptedWorkers
  readonly prefix: string
  start (name: string, partitionsEachMs?: number): Promise<Supervised>
}

function deployment (t: Test): Deployment {
  const prefix = uniqueName('push')
  const workers = new ScriptedWorkers()
  deletePushStreamsAfter(t, prefix)
  return {
    workers,
    prefix,
    start: async (name, partitionsEachMs) => await supervise(t, name, prefix, workers, partitionsEachMs)
  }
}

async function streamOfTen (t: Test): Promise<string> {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  await broker.publishing.publish(stream, batchOf(numbered(10)))
  return stream
}

function keyOf (stream: string, subscription = 's'): { key: SubscriptionKey, unit: string } {
  const key = { source: 'stream', stream, subscription } as const
  return { key, unit: unitId({ key, partition: '', redrive: '' }) }
}

t.test('a subscription gets a worker, another one when it changes, and none while it is paused', async (t) => {
  const { workers, start } = deployment(t)
  const a = await start('a')
  const { key, unit } = keyOf(await streamOfTen(t))
  await a.put(key, definitionOf('s'))
  const first = await running(workers, unit)
  t.ok(first.task.seat.isFresh())
  await a.put(key, definitionOf('s', { start: 'first' }))
  await a.put(key, definitionOf('s', { url: 'https://other.example.com/' }))
  const second = await until('another worker', () => {
    const now = workers.of(unit)
    return now?.task.subscription.definition.url === 'https://other.example.com/' && now
  })
  t.match(workers.names(unit), exactly('started', 'settle', 'stopped', 'started'), 'the start concerns no worker')
  t.equal(second.task.deliveryGeneration, first.task.deliveryGeneration)

  await a.definitions.submit(key, { type: 'pause', cause: 'operator' }, undefined)
  await until('it is said that it stands still', () => a.status.of(unit)?.reason === 'operator')
  t.match(a.status.of(unit), { state: 'stopped', owner: 'a', nextOffset: 1 })
  t.equal(workers.of(unit), undefined)
  await a.definitions.submit(key, { type: 'resume' }, undefined)
  await running(workers, unit)
  await a.definitions.submit(key, { type: 'skip', partition: '', offset: 3 }, undefined)
  await until('it is told to skip', () => workers.events.some(({ name, offset }) => name === 'skip' && offset === 3))
  await a.definitions.submit(key, { type: 'delete' }, undefined)
  await until('it has stopped', () => workers.of(unit) === undefined && a.supervisor.unitCount === 0)
  t.match(workers.names(unit).slice(-3), exactly('skip', 'settle', 'stopped'))
  t.same(workers.doubles, [])
})

t.test('a reset is stored over the seat before a worker begins in the new generation', async (t) => {
  const { workers, start } = deployment(t)
  const a = await start('a')
  const stream = await streamOfTen(t)
  const { key, unit } = keyOf(stream)
  await a.put(key, definitionOf('s'))
  const first = await running(workers, unit)
  for (const [nextOffset, stored] of [[5, 4n], [0, 0n]] as const) {
    const { generation } = (await a.definitions.submit(
      key, { type: 'reset', offsets: { '': nextOffset } }, undefined)).subscription ?? first.task.subscription
    const { task } = await until('a worker of the new generation', () => {
      const now = workers.of(unit)
      return now?.task.subscription.generation === generation && now
    })
    t.same(task.subscription.resets, {})
    t.equal((await a.broker.consumers.storedOffset(stream, 'push.s')).storedOffset, stored)
    t.ok(task.deliveryGeneration > first.task.deliveryGeneration)
  }
  t.same(workers.doubles, [])
})

t.test('what a worker asks for becomes a command: a pause, a place that another program has stored', async (t) => {
  const { workers, start } = deployment(t)
  const a = await start('a')
  const stream = await streamOfTen(t)
  const { key, unit } = keyOf(stream)
  await a.put(key, definitionOf('s'))
  const first = await running(workers, unit)
  first.listener.moved(7)
  const second = await until('a worker of the next generation', () => {
    const now = workers.of(unit)
    return now !== undefined && now.task.subscription.generation > first.task.subscription.generation && now
  })
  t.equal((await a.broker.consumers.storedOffset(stream, 'push.s')).storedOffset, 6n)
  first.listener.pause('gone')
  t.equal(a.definitions.get(key)?.definition.paused, null, 'a worker that was stopped has no say')
  second.listener.pause('outage')
  await until('it is paused', () => a.status.of(unit)?.reason === 'outage' && workers.of(unit) === undefined)
  t.equal(a.definitions.get(key)?.definition.paused, 'outage')

  const request = { from: 0, to: 9, limit: null, class: null, status: null }
  await a.definitions.submit(key, { type: 'resume' }, undefined)
  await a.definitions.submit(key, { type: 'redrive', id: 'r', request, at: 1 }, undefined)
  const redrive = unitId({ key, partition: '', redrive: 'r' })
  const { listener } = await running(workers, redrive)
  listener.done()
  await until('the redrive has ended', () => a.definitions.get(key)?.redrives[0]?.state === 'done')
  await until('its worker has stopped', () => workers.of(redrive) === undefined && a.supervisor.unitCount === 1)
  t.same(workers.doubles, [])
})

t.test('a unit goes to another instance with its retries, when its owner leaves and when it is cut off', async (t) => {
  const { workers, start } = deployment(t)
  const a = await start('a')
  const stream = await streamOfTen(t)
  // Of two instances the second one gets every other slot.
  const name = Array.from({ length: 100 }, (_, index) => `s-${index}`)
    .find((name) => slotOf({ key: keyOf(stream, name).key, partition: '', redrive: '' }, 16) % 2 === 1) ?? ''
  const { key, unit } = keyOf(stream, name)
  await a.put(key, definitionOf(name))
  const first = await running(workers, unit)
  const retry = {
    offset: 3,
    attempts: 4,
    counted: 4,
    failure: 'ambiguous',
    status: 500,
    error: 'x',
    firstFailedAt: 1,
    failedAt: 2,
    nextAttemptAt: Date.now() + 60_000
  } as const
  await new Promise((resolve) => setImmediate(resolve))
  first.listener.report({ ...REPORT, state: 'failing', nextOffset: 3, retry })
  const b = await start('b')
  await b.definitions.caughtUp(AbortSignal.timeout(10_000))
  const before = await until('the second one has it', () => {
    const now = workers.of(unit)
    return now?.instance === 'b' && now
  })
  t.match(before.task.retry, retry, 'when the slot was handed over')
  await new Promise((resolve) => setImmediate(resolve))
  before.listener.report({ ...REPORT, state: 'failing', nextOffset: 3, retry })
  await b.status.flush()

  const cutMs = performance.now()
  b.proxy.refuse()
  b.proxy.killConnections()
  const after = await until('the other one has it', () => {
    const now = workers.of(unit)
    return now?.instance === 'a' && now
  })
  t.comment(`taken over in ${Math.round(performance.now() - cutMs)} ms`)
  t.match(after.task.retry, retry, 'when the connection was cut')
  t.ok(after.task.deliveryGeneration > before.task.deliveryGeneration)
  await until('the worker before has given up', () => workers.names(unit).includes('abandon'))
  await a.supervisor.stop()
  t.equal(workers.of(unit), undefined)
  t.equal(workers.names(unit).at(-2), 'settle')
  t.same(workers.doubles, [])
})

t.test('each partition is a unit, and one that is added becomes one; a super stream that is gone stops', async (t) => {
  const { workers, start } = deployment(t)
  const a = await start('a', 600)
  const superStream = uniqueName('orders')
  const key = { source: 'superStream', stream: superStream, subscription: 's' } as const
  const unitOf = (partition: string): string => unitId({ key, partition, redrive: '' })
  await a.put(key, definitionOf('s'))
  await until('the status says that the unit has stopped', () => a.status.of(unitOf(''))?.state === 'stopped')
  await newSuperStream(t, superStream, [`${superStream}-0`, `${superStream}-1`])
  await running(workers, unitOf(`${superStream}-0`))
  await running(workers, unitOf(`${superStream}-1`))
  await a.broker.superStreams.delete(superStream, () => {})
  await until('its workers have stopped', () => workers.running.size === 0)
  await until('it says why', () => a.status.of(unitOf(`${superStream}-0`))?.state === 'stopped')
  t.same(workers.doubles, [])
})

t.test('a storm of changes of many subscriptions never makes two workers of one', async (t) => {
  const { workers, start } = deployment(t)
  workers.stopMs = 5
  const a = await start('a')
  const b = await start('b')
  const stream = await streamOfTen(t)
  const count = 200
  const names = Array.from({ length: count }, (_, index) => `s-${index}`)
  const put = async (url: string): Promise<void> => {
    await Promise.all(names.map(async (name, index) => {
      await (index % 2 === 0 ? a : b).put(keyOf(stream, name).key, definitionOf(name, { url }))
    }))
  }
  await put('https://a.example.com/')
  await until('all run', () => workers.running.size === count)
  const storm = Promise.all(['b', 'c', 'd'].map(async (host) => { await put(`https://${host}.example.com/`) }))
  const c = await start('c')
  a.proxy.killConnections()
  await storm
  await put('https://last.example.com/')
  await until('all run with the last definition', () => workers.running.size === count &&
    [...workers.running.values()].every(({ task }) => task.subscription.definition.url === 'https://last.example.com/'))
  t.equal(a.supervisor.unitCount + b.supervisor.unitCount + c.supervisor.unitCount, count)
  const stopMs = performance.now()
  await Promise.all([a, b, c].map(async ({ supervisor }) => { await supervisor.stop() }))
  t.comment(`stopped in ${Math.round(performance.now() - stopMs)} ms`)
  t.equal(workers.running.size, 0)
  t.same(workers.doubles, [])
})
