import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Seat } from '../../src/push/ownership/seat.ts'
import { uniqueName } from '../support/broker.ts'
import { batchOf, newStream, numbered, openBroker } from '../support/streams.ts'
import { until } from '../support/until.ts'
import {
  deleteSlotsAfter, HEARTBEAT_SECONDS, Instance, SharedSlotLog, SLOTS, type InstanceOptions
} from './instance.ts'

type Start = (name: string, more?: Partial<InstanceOptions>) => Promise<Instance>

/** Instances of one deployment. */
async function deployment (t: Test): Promise<{ start: Start, log: SharedSlotLog, prefix: string }> {
  const prefix = uniqueName('push')
  const log = new SharedSlotLog()
  deleteSlotsAfter(t, prefix)
  const lockStream = await newStream(t, openBroker(t))
  const start: Start = async (name, more) => await Instance.start(t, name, { prefix, lockStream, log, ...more })
  return { prefix, log, start }
}

async function fresh (seat: Seat | undefined): Promise<Seat> {
  if (seat === undefined) throw new Error('a seat was expected')
  await until('the seat is fresh', () => seat.isFresh())
  return seat
}

/** Settles when each slot has exactly one owner, and each instance that many of them. */
async function spread (instances: readonly Instance[], counts?: readonly number[]): Promise<void> {
  await until(`the slots are spread ${counts?.join('/') ?? 'over all'}`, () => {
    const all = instances.flatMap(({ owned }) => owned)
    return new Set(all).size === SLOTS && all.length === SLOTS &&
      instances.every(({ seats }, index) => counts === undefined ? seats.size > 0 : seats.size === counts[index])
  })
}

t.test('the slots are spread evenly, and an instance that leaves hands its slots over at once', async (t) => {
  const { start } = await deployment(t)
  const a = await start('a')
  await a.owns(SLOTS)
  t.equal(a.slots.count, SLOTS)
  const b = await start('b')
  await spread([a, b], [8, 8])
  const c = await start('c')
  await spread([a, b, c], [6, 5, 5])
  t.equal(a.figures.ownedSlots + b.figures.ownedSlots + c.figures.ownedSlots, SLOTS)

  const beforeMs = performance.now()
  await c.slots.stop()
  await spread([a, b], [8, 8])
  const tookMs = performance.now() - beforeMs
  t.comment(`clean close: ${Math.round(tookMs)} ms`)
  t.ok(tookMs < 5000, `${tookMs} ms`)
})

t.test('an instance whose connection is cut is replaced, and is a member again afterwards', async (t) => {
  const { start } = await deployment(t)
  const a = await start('a')
  await a.owns(SLOTS)
  const b = await start('b')
  await spread([a, b], [8, 8])
  const seats = [...a.seats.values()]
  a.proxy.refuse()
  const beforeMs = performance.now()
  a.proxy.killConnections()
  await b.owns(SLOTS)
  const tookMs = performance.now() - beforeMs
  t.comment(`connection cut: ${Math.round(tookMs)} ms`)
  t.ok(tookMs < 5000, `${tookMs} ms`)
  await a.owns(0)
  t.ok(seats.every((seat) => seat.lost.aborted && !seat.isFresh()))
  a.proxy.accept()
  await spread([a, b], [8, 8])
})

t.test('an offset is stored over a seat, and not over one that is lost', async (t) => {
  const { start } = await deployment(t)
  const direct = openBroker(t)
  const stream = await newStream(t, direct)
  await direct.publishing.publish(stream, batchOf(numbered(10)))
  const a = await start('a')
  await a.owns(SLOTS)
  const seat = await fresh(a.seats.get(3))
  t.equal(await seat.stored(stream, 'push.x'), undefined)
  await seat.store(stream, 'push.x', 7)
  t.equal(await seat.stored(stream, 'push.x'), 7)
  await seat.store(stream, 'push.x', 2)
  t.equal((await direct.consumers.storedOffset(stream, 'push.x')).storedOffset, 2n, 'an offset may go back')
  await t.rejects(seat.store(`${stream}-x`, 'push.x', 1), { code: 'stream_not_found' })
  t.ok(seat.isFresh())

  a.proxy.killConnections()
  await until('the seat is lost', () => seat.lost.aborted)
  t.notOk(seat.isFresh())
  await t.rejects(seat.store(stream, 'push.x', 5), { code: 'broker_unavailable' })
  await t.rejects(seat.stored(stream, 'push.x'), { code: 'broker_unavailable' })
  t.equal((await direct.consumers.storedOffset(stream, 'push.x')).storedOffset, 2n)

  await a.owns(SLOTS)
  const again = await fresh(a.seats.get(3))
  await a.slots.stop()
  t.ok(again.lost.aborted, 'also when it was given back')
  await t.rejects(again.store(stream, 'push.x', 5), { code: 'broker_unavailable' })
})

t.test('no slot is handed over before what belongs to it has settled', async (t) => {
  const { start } = await deployment(t)
  const direct = openBroker(t)
  const stream = await newStream(t, direct)
  await direct.publishing.publish(stream, batchOf(numbered(20)))
  const a = await start('a', {
    settle: async (slot, seat) => {
      await delay(300)
      await seat.store(stream, `push.${slot}`, slot)
    }
  })
  await a.owns(SLOTS)
  const b = await start('b')
  await spread([a, b], [8, 8])
  for (const { slot, atMs } of b.events.filter(({ name }) => name === 'activated')) {
    const settled = a.events.find((event) => event.name === 'settled' && event.slot === slot)
    t.ok(settled !== undefined && settled.atMs <= atMs)
    t.equal(await b.seats.get(slot)?.stored(stream, `push.${slot}`), slot, 'what was stored last is there')
  }
})

t.test('two seats of a slot are never fresh at once, unless the network lies, and then for a moment', async (t) => {
  const { start } = await deployment(t)
  const some = { beatMs: 150 }
  const instances = [await start('a', some), await start('b', some), await start('c', some)]
  await spread(instances)
  let looks = 0
  let vanishedMs = Infinity
  const doubles: string[] = []
  const lies: number[] = []
  const sampler = setInterval(() => {
    looks++
    for (let slot = 0; slot < SLOTS; slot++) {
      const holders = instances.filter(({ seats }) => seats.get(slot)?.isFresh())
      if (holders.length < 2) continue
      const lastedMs = performance.now() - vanishedMs
      if (lastedMs > 0) lies.push(lastedMs)
      else doubles.push(`slot ${slot}`)
    }
  }, 2)
  t.teardown(() => { clearInterval(sampler) })
  for (const [round, how] of (['reset', 'frozen', 'reset', 'vanished'] as const).entries()) {
    const hit = instances[round % instances.length]
    if (hit === undefined) continue
    if (how === 'reset') hit.proxy.killConnections()
    if (how === 'frozen') hit.proxy.pause()
    if (how === 'vanished') {
      // The broker is told that the connection is closed, and the instance is not.
      hit.proxy.refuse()
      vanishedMs = performance.now()
      hit.proxy.vanish()
    }
    // Before RabbitMQ 4.2.4 some groups may be blocked by now: not all slots need to have an owner.
    const hitMs = performance.now()
    const others = instances.filter((instance) => instance !== hit)
    const after = (name: string) => (event: { name: string, atMs: number }): boolean =>
      event.name === name && event.atMs > hitMs
    await until('another instance takes over', () => others.some(({ events }) => events.some(after('activated'))))
    await until('it has lost its seats', () => hit.events.some(after('lost')))
    hit.proxy.resume()
    hit.proxy.accept()
    await until('it owns something again', () => hit.events.some(after('activated')))
  }
  t.same(doubles, [])
  const longestMs = Math.max(0, ...lies)
  t.comment(`two for ${Math.round(longestMs)} ms after a lie`)
  t.ok(longestMs < HEARTBEAT_SECONDS * 500 + 200, `${longestMs} ms`)
  t.ok(looks > 50, `${looks} looks`)
})

t.test('a seat is not fresh within a heartbeat of silence, and again when the broker has answered', async (t) => {
  const { start } = await deployment(t)
  const a = await start('a')
  await a.owns(SLOTS)
  const seat = await fresh(a.seats.get(0))
  a.proxy.pause()
  const pausedMs = performance.now()
  await until('it is not fresh', () => !seat.isFresh())
  const tookMs = performance.now() - pausedMs
  t.comment(`not fresh after ${Math.round(tookMs)} ms`)
  t.ok(tookMs < 4000, `${tookMs} ms`)
  a.proxy.resume()
  await until('it is fresh, or lost', () => seat.isFresh() || seat.lost.aborted)
})

t.test('slots that are lost while they are handed over have one owner each again', async (t) => {
  const { start } = await deployment(t)
  const some = { beatMs: 150 }
  const hands = new AbortController()
  const { signal } = hands
  const settle = async (): Promise<void> => { await delay(60_000, undefined, { signal }).catch(() => {}) }
  const a = await start('a', { ...some, settle })
  await a.owns(SLOTS)
  const b = await start('b', some)
  await until('slots are handed over', () => a.events.filter(({ name }) => name === 'asked').length === SLOTS / 2)
  a.proxy.killConnections()
  await until('all are lost', () => a.events.filter(({ name }) => name === 'lost').length === SLOTS / 2)
  hands.abort()
  await spread([a, b])
})
