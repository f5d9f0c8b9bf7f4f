import t, { type Test } from 'tap'
import type { Command } from '../../src/push/definitions/definitions.ts'
import { snapshotRecords } from '../../src/push/definitions/snapshot.ts'
import type { Broker } from '../../src/streams/index.ts'
import { newPrefix, openLog, writeRecords } from '../support/definition-log.ts'
import { aDefinition, aKey } from '../support/definitions.ts'
import { exactly } from '../support/exactly.ts'
import { openBroker } from '../support/streams.ts'
import { until } from '../support/until.ts'

const soon = (): AbortSignal => AbortSignal.timeout(10_000)
const names = (log: { values: () => Iterable<{ key: { subscription: string } }> }): string[] => {
  return [...log.values()].map(({ key }) => key.subscription)
}

let ids = 0
const put = (subscription: string): Buffer => {
  const command: Command = {
    commandId: String(ids++), key: aKey(subscription), change: { type: 'put', definition: aDefinition() }
  }
  return Buffer.from(JSON.stringify(command))
}

/** A snapshot, as an instance writes it that knows a subscription which the log does not have. */
function snapshot (asOf: number, ...subscriptions: string[]): Buffer[] {
  return [...snapshotRecords({
    asOf,
    subscriptions: subscriptions.map((subscription) => ({
      key: aKey(subscription),
      definition: aDefinition({ url: `https://example.com/${'x'.repeat(200_000)}` }),
      version: 0,
      generation: 0,
      starts: {},
      resets: {},
      skips: {},
      redrives: []
    })),
    commandIds: []
  })]
}

async function namesAtStart (t: Test, broker: Broker, prefix: string): Promise<string[]> {
  const { log, lines } = openLog(t, { broker, prefix })
  await log.caughtUp(soon())
  t.equal(log.badRecords, 0)
  t.same(lines.filter(({ level }) => level === 'error'), [])
  await log.close()
  return names(log)
}

t.test('a start takes the snapshot and all commands after it, also those between its records', async (t) => {
  const broker = openBroker(t)
  const prefix = newPrefix(t, broker)
  await broker.streams.create(`${prefix}.definitions`, {})
  const stream = `${prefix}.definitions`
  const [begin, ...parts] = snapshot(1, 's1', 's2', 's3')
  const end = parts.pop()
  if (begin === undefined || end === undefined || parts.length < 3) throw new Error('a snapshot of several parts')
  await writeRecords(broker, prefix, [put('a'), put('b'), put('c'), begin, put('d')])
  await writeRecords(broker, prefix, parts.flatMap((part) => [part, part])) // as after a lost confirm
  await writeRecords(broker, prefix, [put('e')])
  t.same(await namesAtStart(t, broker, prefix), ['a', 'b', 'c', 'd', 'e'], 'without its end it is no snapshot')
  await broker.consumers.storeOffset(stream, 'snapshot', 1)
  t.same(await namesAtStart(t, broker, prefix), ['a', 'b', 'c', 'd', 'e'], 'wherever the pointer points')
  await writeRecords(broker, prefix, [end, put('f')])
  t.same(await namesAtStart(t, broker, prefix), ['s1', 's2', 's3', 'c', 'd', 'e', 'f'])

  const broken = snapshot(3, 'x1', 'x2', 'x3')
  const last = broken.at(-1) ?? ''
  await writeRecords(broker, prefix, [...broken.slice(0, 2), ...broken.slice(3)])
  await writeRecords(broker, prefix, [...broken.slice(0, 1), ...broken.slice(2, -1), last])
  const changed = broken.map((record, index) => index === 1 ? Buffer.concat([record, Buffer.from(' ')]) : record)
  await writeRecords(broker, prefix, changed)
  t.same(await namesAtStart(t, broker, prefix), ['s1', 's2', 's3', 'c', 'd', 'e', 'f'], 'a broken one is left out')
})

t.test('snapshots are written by the instance whose turn it is, and outlive retention', async (t) => {
  const broker = openBroker(t)
  const prefix = newPrefix(t, broker)
  const stream = `${prefix}.definitions`
  await broker.streams.create(stream, { maxSegmentSizeBytes: 100_000, maxLengthBytes: 400_000 })
  const limits = { commands: 50, bytes: 200_000 }
  const { log, lines } = openLog(t, { broker, prefix, snapshots: limits })
  const { log: other, lines: otherLines } = openLog(t, { broker: openBroker(t), prefix, snapshots: limits })
  log.snapshots(true)
  await log.submit(aKey('first'), { type: 'put', definition: aDefinition() }, null)
  await log.submit(aKey('gone'), { type: 'put', definition: aDefinition() }, null)
  await log.submit(aKey('gone'), { type: 'delete' }, undefined)
  const written = (): number => lines.filter(({ message }) => message.includes('snapshot')).length
  await until('retention has removed the first commands', async () => {
    const definition = aDefinition({ url: `https://example.com/${'x'.repeat(10_000)}` })
    await Promise.all(Array.from({ length: 10 }, async (_, index) => {
      await log.submit(aKey(`s${index}`), { type: 'put', definition }, undefined)
    }))
    return written() >= 3 && (await broker.streams.describe(stream)).firstOffset > 3
  })
  t.equal(otherLines.some(({ message }) => message.includes('snapshot')), false)
  await Promise.all([log, other].map(async (each) => { await each.caughtUp(soon()) }))
  t.equal(log.size, 11)
  t.same([...other.values()], [...log.values()])
  const { log: later, lines: laterLines } = openLog(t, { broker: openBroker(t), prefix })
  await later.caughtUp(soon())
  t.same([...later.values()], [...log.values()], 'an instance that starts then has everything')
  t.same(laterLines, [])
  log.snapshots(false)
  other.snapshots(true)
  const change = { type: 'pause', cause: 'operator' } as const
  for (let round = 0; round < 60; round++) {
    await later.submit(aKey('first'), round % 2 === 0 ? change : { type: 'resume' }, undefined)
  }
  await until('another instance writes them', () => otherLines.some(({ message }) => message.includes('snapshot')))
})

t.test('a log that retention has cut without a snapshot is told as an error, and what is left is used', async (t) => {
  const broker = openBroker(t)
  const prefix = newPrefix(t, broker)
  const stream = `${prefix}.definitions`
  await broker.streams.create(stream, { maxSegmentSizeBytes: 100_000, maxLengthBytes: 200_000 })
  const { log } = openLog(t, { broker, prefix })
  await log.submit(aKey('first'), { type: 'put', definition: aDefinition() }, null)
  await broker.consumers.storeOffset(stream, 'snapshot', 0) // where nothing will be left
  await until('retention has removed the first command', async () => {
    const definition = aDefinition({ url: `https://example.com/${'x'.repeat(10_000)}` })
    await Promise.all(Array.from({ length: 10 }, async (_, index) => {
      await log.submit(aKey(`s${index}`), { type: 'put', definition }, undefined)
    }))
    return (await broker.streams.describe(stream)).firstOffset > 1
  })
  const { log: later, lines } = openLog(t, { broker, prefix })
  await later.caughtUp(soon())
  t.equal(later.get(aKey('first')), undefined)
  t.ok(later.get(aKey('s9')))
  t.match(lines, exactly({
    level: 'error',
    message: 'commands of subscriptions were removed from the log, and no snapshot has them: subscriptions are missing'
  }))
  t.equal((await later.submit(aKey('new'), { type: 'put', definition: aDefinition() }, null)).outcome, 'applied')
})

t.test('a log that is deleted is begun anew', async (t) => {
  const broker = openBroker(t)
  const prefix = newPrefix(t, broker)
  const { log } = openLog(t, { broker, prefix })
  await log.submit(aKey('a'), { type: 'put', definition: aDefinition() }, null)
  await openBroker(t).streams.delete(`${prefix}.definitions`)
  await until('it is known to be gone', async () => {
    await log.caughtUp(soon()).catch(() => {})
    return log.size === 0
  })
  t.equal((await log.submit(aKey('b'), { type: 'put', definition: aDefinition() }, null)).outcome, 'applied')
  t.same(names(log), ['b'])
})
