import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import { DefinitionLog, type DefinitionLogOptions } from '../../src/push/definitions/definition-log.ts'
import type { Command } from '../../src/push/definitions/definitions.ts'
import { Sealing } from '../../src/push/definitions/sealing.ts'
import type { Broker } from '../../src/streams/index.ts'
import { aDefinition, aKey } from '../support/definitions.ts'
import { batchOf, openBroker } from '../support/streams.ts'
import { until } from '../support/until.ts'

const PUT = { type: 'put', definition: aDefinition() } as const
const soon = (): AbortSignal => AbortSignal.timeout(10_000)

interface Line { readonly level: string, readonly message: string, readonly fields: object }

/** A log of its own for a test, deleted with it. */
function newPrefix (t: Test, broker: Broker): string {
  const prefix = `push-${randomUUID()}`
  t.teardown(async () => { await broker.streams.delete(`${prefix}.definitions`).catch(() => {}) })
  return prefix
}

/** What an instance has of the log. */
function openLog (
  t: Test, options: Partial<DefinitionLogOptions> & Pick<DefinitionLogOptions, 'broker' | 'prefix'>
): { log: DefinitionLog, lines: Line[] } {
  const lines: Line[] = []
  const at = (level: string) => (fields: object, message: string): void => { lines.push({ level, message, fields }) }
  const logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
  const log = new DefinitionLog({ sealing: new Sealing([]), logger, ...options })
  t.teardown(async () => { await log.close() })
  log.start()
  return { log, lines }
}

function contents (log: DefinitionLog): unknown {
  return [...log.values()]
}

/** Writes records as an instance that breaks off, or another program, might. */
async function write (broker: Broker, prefix: string, ...records: Array<string | Buffer>): Promise<void> {
  for (const record of records) {
    const batch = batchOf([])
    batch.addData(Buffer.from(record))
    const { confirmed } = await broker.publishing.publish(`${prefix}.definitions`, batch)
    if (confirmed !== 1) throw new Error('a record is not confirmed')
  }
}

t.test('of two writers that expect the same version exactly one wins, 1000 times', async (t) => {
  const [one, other] = [openBroker(t), openBroker(t)]
  const prefix = newPrefix(t, one)
  const [first, second] = [openLog(t, { broker: one, prefix }).log, openLog(t, { broker: other, prefix }).log]
  let { subscription } = await first.submit(aKey('a'), PUT, null)
  let wins = 0
  for (let round = 0; round < 1000; round++) {
    const expected = subscription?.version
    const both = await Promise.all([first, second].map(async (log, index) => {
      return await log.submit(aKey('a'), { type: 'put', definition: aDefinition({ timeoutMs: index }) }, expected)
    }))
    const won = both.filter(({ outcome }) => outcome === 'applied')
    if (won.length !== 1) t.fail(`round ${round}: ${JSON.stringify(both)}`)
    else wins++
    const lost = both.find(({ outcome }) => outcome !== 'applied')
    if (lost?.outcome !== 'precondition_failed') t.fail(`round ${round}: ${JSON.stringify(both)}`)
    subscription = won[0]?.subscription
  }
  t.equal(wins, 1000)
  await Promise.all([first.caughtUp(soon()), second.caughtUp(soon())])
  t.same(contents(first), contents(second))
  const { log: third } = openLog(t, { broker: openBroker(t), prefix })
  await third.caughtUp(soon())
  t.same(contents(third), contents(first), 'an instance that starts later has the same')
  t.same(first.get(aKey('a')), subscription)
})

t.test('listeners are told what has changed, by other instances too', async (t) => {
  const broker = openBroker(t)
  const prefix = newPrefix(t, broker)
  const [writer, reader] = [openLog(t, { broker, prefix }).log, openLog(t, { broker, prefix }).log]
  await reader.caughtUp(soon())
  const told: string[] = []
  const end = reader.listen((keys) => { told.push(...keys.map(({ subscription }) => subscription)) })
  await writer.submit(aKey('a'), PUT, undefined)
  await writer.submit(aKey('b'), { type: 'delete' }, undefined)
  await writer.submit(aKey('a'), { type: 'resume' }, undefined)
  await writer.submit(aKey('a'), { type: 'delete' }, undefined)
  await until('both changes are told', () => told.length >= 2)
  t.same(told, ['a', 'a'], 'what changes nothing is not told')
  end()
  await writer.submit(aKey('a'), PUT, undefined)
  await reader.caughtUp(soon())
  t.equal(told.length, 2)
})

t.test('a record that is not understood is left out, and told once', async (t) => {
  const broker = openBroker(t)
  const prefix = newPrefix(t, broker)
  const { log } = openLog(t, { broker, prefix })
  await log.submit(aKey('a'), PUT, undefined)
  const bad: Command = { commandId: 'x', key: aKey('b'), change: PUT }
  await write(
    broker, prefix, '', 'not JSON', '{}', '[]', 'null', '{"commandId":1}', Buffer.from([0xff, 0x00, 0x0a]),
    JSON.stringify({ ...bad, change: { type: 'put', definition: { url: 1 } } }),
    JSON.stringify({ ...bad, change: { type: 'later' } }),
    JSON.stringify({ ...bad, ifVersion: 'x' }),
    '{"type":"snapshot-end","snapshot":"x","parts":0,"digest":""}'
  )
  const { outcome } = await log.submit(aKey('c'), PUT, null)
  t.equal(outcome, 'applied')
  const { log: later, lines } = openLog(t, { broker, prefix })
  await later.caughtUp(soon())
  t.same([...later.values()].map(({ key }) => key.subscription), ['a', 'c'])
  t.equal(later.badRecords, 10)
  t.equal(lines.filter(({ level }) => level === 'error').length, 1)
})
