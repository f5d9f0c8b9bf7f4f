import t from 'tap'
import { StatusLog } from '../../src/push/status/status-log.ts'
import { startPrivateBroker } from '../support/broker.ts'
import { newPrefix, openLog } from '../support/definition-log.ts'
import { aDefinition, aKey, aStatus } from '../support/definitions.ts'
import { openBroker } from '../support/streams.ts'
import { until } from '../support/until.ts'

t.setTimeout(120_000)

const MORE_THAN_ANY_DISK = '100000GB'
const SUBMIT_MS = 2000
const soon = (): AbortSignal => AbortSignal.timeout(10_000)
const quiet = { debug () {}, info () {}, warn () {}, error () {} }

t.test('what a broker does to the state of subscriptions', async (t) => {
  const { node } = await startPrivateBroker(t)
  const hosts = [{ host: '127.0.0.1', port: node.streamPort }]
  const management = { url: new URL(node.managementUrl).origin, username: 'guest', password: 'guest' }
  const broker = openBroker(t, { hosts, management, confirmTimeoutMs: 4000, requestTimeoutMs: 3000 })
  const prefix = newPrefix(t, broker)
  const { log } = openLog(t, { broker, prefix, submitTimeoutMs: SUBMIT_MS })
  const status = new StatusLog({ broker, prefix, logger: quiet })
  t.teardown(async () => { await status.close() })
  status.start()
  status.publish(aStatus())
  const put = async (timeoutMs: number) => {
    return await log.submit(aKey('a'), { type: 'put', definition: aDefinition({ timeoutMs }) }, undefined)
  }
  t.equal((await put(1)).outcome, 'applied')
  t.equal(await status.flush(), true)

  await t.test('without space for messages a change is refused in time, and everything is still known', async (t) => {
    await node.ctl('set_disk_free_limit', MORE_THAN_ANY_DISK)
    let tries = 0
    const refusal = await until('a change is refused', async () => {
      const startedMs = performance.now()
      const failure: unknown = await put(100 + tries++).then(() => undefined, (error: unknown) => error)
      t.ok(performance.now() - startedMs < SUBMIT_MS + 5000, 'no change hangs')
      return failure
    })
    t.match(refusal, { code: 'confirm_timeout', retryable: true, sideEffects: 'possible' })
    status.publish(aStatus({ state: 'blocked', reason: 'no space' }))
    t.equal(await status.flush(500), false)
    await log.caughtUp(soon())
    await status.caughtUp(soon())
    t.equal(log.size, 1)
    t.equal(status.of('u')?.state, 'blocked', 'an owner knows its own word')
  })
  await t.test('with space again changes are made, and the newest status is written', async (t) => {
    await node.ctl('set_disk_free_limit', '50MB')
    await until('a change is made', async () => await put(7).then(() => true, () => false))
    const other = openBroker(t, { hosts, management })
    const { log: later } = openLog(t, { broker: other, prefix })
    await later.caughtUp(soon())
    t.same([...later.values()], [...log.values()])
    t.equal(later.get(aKey('a'))?.definition.timeoutMs, 7)
    const reader = new StatusLog({ broker: other, prefix, logger: quiet })
    t.teardown(async () => { await reader.close() })
    await until('the status is written', async () => {
      await reader.caughtUp(soon())
      return reader.of('u')?.state === 'blocked'
    })
  })
  await t.test('a restart of the broker delays changes and loses none', async (t) => {
    await node.stop()
    for (const refused of [put(8), log.caughtUp(soon())]) {
      const failure: unknown = await refused.then(() => undefined, (error: unknown) => error)
      t.match(failure, { code: /^broker_(unavailable|timeout)$/, retryable: true })
    }
    t.equal(log.get(aKey('a'))?.definition.timeoutMs, 7, 'what was known is known')
    const starting = node.start()
    await until('a change is made', async () => await put(9).then(() => true, () => false))
    await starting
    const { log: later } = openLog(t, { broker: openBroker(t, { hosts, management }), prefix })
    await later.caughtUp(soon())
    t.same([...later.values()], [...log.values()])
    t.equal(later.get(aKey('a'))?.definition.timeoutMs, 9)
    await status.caughtUp(soon())
  })
})
