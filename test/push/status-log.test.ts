import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { decodeRecord } from '../../src/push/log/log-record.ts'
import { StatusLog } from '../../src/push/status/status-log.ts'
import type { StatusRecord } from '../../src/push/status/status-record.ts'
import { STATUS_TIMES, type StatusTimes } from '../../src/push/status/status-timing.ts'
import type { Broker } from '../../src/streams/index.ts'
import { aStatus } from '../support/definitions.ts'
import { FaultProxy } from '../support/proxy.ts'
import { openBroker, readOnce, testAddresses } from '../support/streams.ts'
import { until } from '../support/until.ts'

const quiet = { debug () {}, info () {}, warn () {}, error () {} }
const soon = (): AbortSignal => AbortSignal.timeout(10_000)

function newPrefix (t: Test, broker: Broker): string {
  const prefix = `push-${randomUUID()}`
  t.teardown(async () => { await broker.streams.delete(`${prefix}.status`).catch(() => {}) })
  return prefix
}

function openLog (t: Test, broker: Broker, prefix: string, times: Partial<StatusTimes> = {}): StatusLog {
  const log = new StatusLog({ broker, prefix, logger: quiet, times: { ...STATUS_TIMES, ...times } })
  t.teardown(async () => { await log.close() })
  log.start()
  return log
}

/** A failure, after which the next try comes in this time. */
function failure (attempts: number, delayMs: number, overrides: Partial<StatusRecord> = {}): StatusRecord {
  const at = Date.now()
  return aStatus({
    state: 'retrying',
    retry: {
      offset: 7,
      attempts,
      counted: attempts,
      failure: 'ambiguous',
      status: 500,
      error: 'it failed',
      firstFailedAt: at,
      failedAt: at,
      nextAttemptAt: at + delayMs
    },
    ...overrides
  })
}

/** The records of the stream. */
async function written (broker: Broker, prefix: string): Promise<unknown[]> {
  const { messages } = await readOnce(broker, `${prefix}.status`, { type: 'first' }, { limit: 10_000 })
  return messages.map((message) => decodeRecord(message).head)
}

t.test('what an owner says reaches every instance, and those that start later', async (t) => {
  const [broker, other] = [openBroker(t), openBroker(t)]
  const prefix = newPrefix(t, broker)
  const [owner, reader] = [openLog(t, broker, prefix), openLog(t, other, prefix)]
  await reader.caughtUp(soon())
  owner.publish(aStatus({ nextOffset: 5 }))
  owner.publishSlot({ slot: 3, owner: 'one', at: 1 })
  t.match(owner.of('u'), { nextOffset: 5 }, 'the owner knows its own word at once')
  await until('the other one knows it', () => reader.of('u')?.nextOffset === 5 && reader.slots.has(3))
  owner.publish(failure(2, 60_000))
  await until('a failure is told at once', () => reader.of('u')?.retry?.attempts === 2, 900)
  const later = openLog(t, openBroker(t), prefix)
  await later.caughtUp(soon())
  t.match(later.of('u'), { retry: { attempts: 2, offset: 7, status: 500 }, owner: 'one' })
  t.same([...later.slots], [[3, { slot: 3, owner: 'one', at: 1 }]])
})

t.test('an owner that was replaced has no say any longer, and does not repeat itself', async (t) => {
  const broker = openBroker(t)
  const prefix = newPrefix(t, broker)
  const [before, now] = [openLog(t, broker, prefix, { renewMs: 100 }), openLog(t, broker, prefix)]
  before.publish(aStatus({ nextOffset: 1 }))
  await before.flush()
  now.publish(aStatus({ owner: 'two', takeovers: 2, nextOffset: 2 }))
  await now.flush()
  await until('the one before knows of the new one', () => before.of('u')?.owner === 'two')
  const count = (await written(broker, prefix)).length
  await delay(400)
  t.equal((await written(broker, prefix)).length, count, 'it is not renewed')
  before.publish(aStatus({ nextOffset: 99 }))
  before.publish(aStatus({ unit: 'mark' }))
  await before.flush()
  await now.caughtUp(soon())
  t.ok(now.of('mark'))
  t.match(now.of('u'), { owner: 'two', nextOffset: 2 })
  const later = openLog(t, broker, prefix)
  await later.caughtUp(soon())
  t.match(later.of('u'), { owner: 'two', nextOffset: 2 })
  now.publish(aStatus({ owner: 'two', takeovers: 3, generation: 0, nextOffset: 3 }))
  await now.flush()
  await later.caughtUp(soon())
  t.match(later.of('u'), { nextOffset: 2 }, 'nor has one of a generation before')
  await later.close()
  const aged = aStatus({ owner: 'three', takeovers: 0, at: Date.now() + 16 * 60_000 })
  now.forget('u')
  now.publish(aged)
  await now.flush()
  await before.caughtUp(soon())
  t.match(before.of('u'), { owner: 'three' }, 'a word that was not renewed for long is void')
})

t.test('of what changes quickly only the newest is written, now and then', async (t) => {
  const broker = openBroker(t)
  const prefix = newPrefix(t, broker)
  const owner = openLog(t, broker, prefix)
  const startedMs = performance.now()
  for (let offset = 0; performance.now() - startedMs < 1200; offset++) {
    owner.publish(aStatus({ nextOffset: offset, lastSuccessAt: offset }))
    if (offset % 1000 === 0) await delay(1)
  }
  const last = owner.of('u')
  await owner.flush()
  const records = await written(broker, prefix)
  const seconds = (performance.now() - startedMs) / 1000
  t.ok(records.length >= 2 && records.length <= 2 + seconds, `${records.length} records in ${seconds} s`)
  t.match(records.at(-1), { nextOffset: last?.nextOffset })
})

t.test('failures are written again while they last, and nothing is when the unit is forgotten', async (t) => {
  const broker = openBroker(t)
  const prefix = newPrefix(t, broker)
  const owner = openLog(t, broker, prefix, { renewRetryMs: 100, renewMs: 60_000 })
  owner.publish(failure(1, 60_000))
  owner.publish(aStatus({ unit: 'idle', state: 'idle' }))
  t.equal(await owner.flush(), true)
  await until('it is written again', async () => (await written(broker, prefix)).length >= 5)
  const records = await written(broker, prefix)
  t.equal(records.filter((record) => JSON.stringify(record).includes('"idle"')).length, 1)
  owner.publish(failure(2, 60_000))
  owner.forget('u')
  await owner.flush()
  const count = (await written(broker, prefix)).length
  t.match((await written(broker, prefix)).at(-1), { retry: { attempts: 2 } }, 'its last word is written')
  await delay(400)
  t.equal((await written(broker, prefix)).length, count)
  await owner.caughtUp(soon())
  t.match(owner.of('u'), { retry: { attempts: 2 } }, 'and known')
})

t.test('while the broker is away the newest word waits, and is written when it is back', async (t) => {
  const { host, port } = testAddresses()
  const proxy = await FaultProxy.listen({ host, port })
  t.teardown(async () => { await proxy.close() })
  const direct = openBroker(t)
  const prefix = newPrefix(t, direct)
  const broker = openBroker(t, {
    hosts: [{ host: proxy.host, port: proxy.port }], addressMode: 'configured', confirmTimeoutMs: 1000
  })
  const owner = openLog(t, broker, prefix)
  owner.publish(aStatus({ nextOffset: 1 }))
  t.equal(await owner.flush(), true)
  proxy.refuse()
  proxy.killConnections()
  for (let attempts = 1; attempts <= 1000; attempts++) owner.publish(failure(attempts, 60_000))
  const startedMs = performance.now()
  t.equal(await owner.flush(300), false)
  t.ok(performance.now() - startedMs < 5000, 'a flush ends')
  proxy.accept()
  const reader = openLog(t, direct, prefix)
  await until('it is written', async () => {
    await reader.caughtUp(soon())
    return reader.of('u')?.retry?.attempts === 1000
  })
  t.ok((await written(direct, prefix)).length < 10)
})
