import t from 'tap'
import type { DefinitionLog } from '../../src/push/definitions/definition-log.ts'
import type { Command, SubscriptionKey } from '../../src/push/definitions/definitions.ts'
import { sealContext, Sealing } from '../../src/push/definitions/sealing.ts'
import { newPrefix, openLog, writeRecords } from '../support/definition-log.ts'
import { aDefinition, aKey } from '../support/definitions.ts'
import { exactly } from '../support/exactly.ts'
import { FaultProxy } from '../support/proxy.ts'
import { openBroker, testAddresses } from '../support/streams.ts'
import { until } from '../support/until.ts'

const PUT = { type: 'put', definition: aDefinition() } as const
const soon = (): AbortSignal => AbortSignal.timeout(10_000)

function contents (log: DefinitionLog): unknown {
  return [...log.values()]
}

t.test('of two writers that expect the same version exactly one wins, 1000 times', async (t) => {
  const [one, other] = [openBroker(t), openBroker(t)]
  const prefix = newPrefix(t, one)
  const [first, second] = [openLog(t, { broker: one, prefix }).log, openLog(t, { broker: other, prefix }).log]
  const race = async (key: SubscriptionKey, rounds: number): Promise<number> => {
    let { subscription } = await first.submit(key, PUT, null)
    let wins = 0
    for (let round = 0; round < rounds; round++) {
      const expected = subscription?.version
      const both = await Promise.all([first, second].map(async (log, index) => {
        return await log.submit(key, { type: 'put', definition: aDefinition({ timeoutMs: index }) }, expected)
      }))
      t.same(both.map(({ outcome }) => outcome).sort(), ['applied', 'precondition_failed'])
      const won = both.find(({ outcome }) => outcome === 'applied')
      if (won !== undefined) wins++
      t.same(first.get(key)?.version, won?.subscription?.version)
      subscription = won?.subscription
    }
    return wins
  }
  const wins = await Promise.all(Array.from({ length: 10 }, async (_, index) => await race(aKey(`s${index}`), 100)))
  t.same(wins, Array.from({ length: 10 }, () => 100))
  await Promise.all([first.caughtUp(soon()), second.caughtUp(soon())])
  t.same(contents(first), contents(second))
  const { log: third } = openLog(t, { broker: openBroker(t), prefix })
  await third.caughtUp(soon())
  t.same(contents(third), contents(first), 'an instance that starts later has the same')
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
  await writeRecords(broker, prefix, [
    '', 'not JSON', '{}', '[]', 'null', '{"commandId":1}', Buffer.from([0xff, 0x00, 0x0a]),
    JSON.stringify({ ...bad, change: { type: 'put', definition: { url: 1 } } }),
    JSON.stringify({ ...bad, change: { type: 'later' } }),
    JSON.stringify({ ...bad, ifVersion: 'x' }),
    '{"type":"snapshot-end","snapshot":"x","parts":0,"digest":""}'
  ])
  const { outcome } = await log.submit(aKey('c'), PUT, null)
  t.equal(outcome, 'applied')
  const { log: later, lines } = openLog(t, { broker, prefix })
  await later.caughtUp(soon())
  t.same([...later.values()].map(({ key }) => key.subscription), ['a', 'c'])
  t.equal(later.badRecords, 10)
  t.equal(lines.filter(({ level }) => level === 'error').length, 1)
})

t.test('a command whose confirm is lost is applied once', async (t) => {
  const { host, port } = testAddresses()
  const proxy = await FaultProxy.listen({ host, port })
  t.teardown(async () => { await proxy.close() })
  const hosts = [{ host: proxy.host, port: proxy.port }]
  const broker = openBroker(t, { hosts, addressMode: 'configured', reconnectDelayMs: 10, maxReconnectDelayMs: 50 })
  const prefix = newPrefix(t, openBroker(t))
  const { log } = openLog(t, { broker, prefix })
  await log.submit(aKey('a'), PUT, undefined)
  const generation = log.get(aKey('a'))?.generation ?? NaN
  let rounds = 0
  while (rounds < 20 || (broker.stats().messagesUnknown < 3 && rounds < 200)) {
    const submitted = log.submit(aKey('a'), { type: 'reset', offsets: { '': rounds++ } }, undefined)
    setTimeout(() => { proxy.killConnections() }, Math.random() * 4)
    t.equal((await submitted).outcome, 'applied')
  }
  t.ok(broker.stats().messagesUnknown >= 3, 'confirms were lost')
  t.equal(log.get(aKey('a'))?.generation, generation + rounds)
  const { log: other } = openLog(t, { broker: openBroker(t), prefix })
  await other.caughtUp(soon())
  t.same(contents(other), contents(log))
})

t.test('a key that does not fit opens nothing and is told, and a change seals with the newest key', async (t) => {
  const broker = openBroker(t)
  const prefix = newPrefix(t, broker)
  const [old, young] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)]
  const context = sealContext(aKey('a'))
  const sealed = new Sealing([old]).seal('secret', context)
  const definition = aDefinition({ secrets: [{ sealed, until: null }], headers: { authorization: sealed } })
  const { log: before } = openLog(t, { broker, prefix, sealing: new Sealing([old]) })
  await before.submit(aKey('a'), { type: 'put', definition }, null)
  const { log: wrong, lines } = openLog(t, { broker, prefix, sealing: new Sealing([young]) })
  await wrong.caughtUp(soon())
  t.match(lines.filter(({ level }) => level === 'error'), exactly({
    message: 'PUSH_ENCRYPTION_KEY does not open the secrets of subscriptions: they are not delivered',
    fields: { subscriptions: 1, first: aKey('a') }
  }))
  t.notMatch(JSON.stringify(lines), 'secret"')
  const put = { type: 'put', definition } as const
  const untouched = await wrong.submit(aKey('a'), put, undefined)
  t.same(untouched.subscription?.definition, definition, 'what cannot be opened is kept as it is')
  const { log: both } = openLog(t, { broker, prefix, sealing: new Sealing([young, old]) })
  const { subscription } = await both.submit(aKey('a'), put, undefined)
  const texts = [subscription?.definition.secrets[0]?.sealed, subscription?.definition.headers['authorization']]
  for (const text of texts) t.equal(new Sealing([young]).open(text ?? '', context), 'secret')
})

t.test('a change that is too large, or comes while the process ends, is refused and not made', async (t) => {
  const broker = openBroker(t)
  const prefix = newPrefix(t, broker)
  const { log } = openLog(t, { broker, prefix })
  const large = aDefinition({ url: `https://example.com/${'x'.repeat(600_000)}` })
  await t.rejects(log.submit(aKey('a'), { type: 'put', definition: large }, null), { code: 'message_too_large' })
  t.equal(log.size, 0)
  broker.drain()
  await t.rejects(log.submit(aKey('a'), PUT, null), { code: 'draining', sideEffects: 'none' })
  await log.close()
  await t.rejects(log.caughtUp(soon()), { code: 'draining' })
})
