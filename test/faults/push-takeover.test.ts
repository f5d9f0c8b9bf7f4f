import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { PushFleet, ledgerOf, type Source } from '../support/push-fleet.ts'
import { startReceiver, type PushReceiver } from '../support/push-receiver.ts'
import { record } from '../support/schema-values.ts'
import { until } from '../support/until.ts'

t.setTimeout(240_000)

const ROUNDS = Number(process.env['FAULT_ROUNDS'] ?? 4)
const SUBSCRIPTIONS = 100
const GATEWAYS = 3
const COMMIT = { everyMs: 500, everyMessages: 20 }
/** How often a message may be sent again for each takeover: what was not stored yet, and the one in flight. */
const WINDOW = COMMIT.everyMessages + 1
const FEW_TRIES = { retry: { initialDelayMs: 100, maxDelayMs: 1000, messageAttempts: 2 } }

const isPoison = (number: number): boolean => number % 10 === 7
const numberOf = (json: unknown): number => Number(record(json)['body'])

interface Bench { fleet: PushFleet, receiver: PushReceiver, sources: Source[] }

async function start (t: Test, subscriptions: number, definition: object = {}): Promise<Bench> {
  const receiver = await startReceiver(t)
  const fleet = await PushFleet.start(t, { gateways: GATEWAYS })
  const sources = await fleet.newSources(t, subscriptions, receiver, { commit: COMMIT, ...definition })
  return { fleet, receiver, sources }
}

async function publishToAll ({ fleet, sources }: Bench, count: number): Promise<void> {
  await Promise.all(sources.map(async (source) => { await fleet.publish(source, count) }))
}

/** Waits until every message was processed, or is one that the endpoint refuses. */
async function untilDelivered (t: Test, bench: Bench, isExpected = (_number: number): boolean => true): Promise<void> {
  const { receiver, sources } = bench
  const open = (): Source[] => sources.filter((source) => {
    const last = Array.from({ length: source.published }, (_, number) => number).filter(isExpected).at(-1)
    return ledgerOf(receiver.deliveries, source).processed.at(-1) !== last
  })
  await until('everything is delivered', () => open().length === 0, 120_000).catch(async (err: unknown) => {
    for (const source of open()) await tellOf(t, bench, source)
    throw err
  })
}

/** Says how far the deliveries of a source have come, and what the gateway says of them. */
async function tellOf (t: Test, { fleet, receiver }: Bench, source: Source): Promise<void> {
  const { processed } = ledgerOf(receiver.deliveries, source)
  t.comment(`${source.published} published, ${processed.length} processed, the last ${processed.at(-1)}`)
  t.comment((await fleet.request('GET', `${source.path}/subscriptions/s`)).json)
}

/** Holds what the receiver got against what was published. */
function audit (
  t: Test, { receiver, sources }: Bench, takeovers: number, isExpected = (_number: number): boolean => true
): void {
  let [missing, disordered, repeated] = [0, 0, 0]
  for (const source of sources) {
    const { processed, repeats, outOfOrder } = ledgerOf(receiver.deliveries, source)
    const expected = Array.from({ length: source.published }, (_, number) => number).filter(isExpected)
    missing += expected.length - new Set(processed).size
    disordered += outOfOrder.length
    if (repeats > WINDOW * takeovers) repeated++
  }
  t.equal(missing, 0, 'nothing is lost')
  t.equal(disordered, 0, 'the order is kept')
  t.equal(repeated, 0, `no subscription repeats more than ${WINDOW} messages for each takeover`)
}

t.test('gateways that are killed lose nothing, keep the order and repeat little', async (t) => {
  const bench = await start(t, SUBSCRIPTIONS)
  const { fleet } = bench
  for (let round = 0; round < ROUNDS; round++) {
    await publishToAll(bench, 10)
    const [victim] = fleet.gateways
    if (victim !== undefined) await fleet.end(victim, 'SIGKILL')
    await publishToAll(bench, 10)
    await fleet.add()
  }
  await untilDelivered(t, bench)
  audit(t, bench, ROUNDS * 2)
})

t.test('a gateway that is frozen and comes back sends nothing that others have sent since', async (t) => {
  const bench = await start(t, 30)
  const { fleet, receiver } = bench
  await publishToAll(bench, 5)
  await untilDelivered(t, bench)
  for (const frozenMs of [4000, 10_000]) {
    const [victim] = fleet.gateways
    victim?.child.kill('SIGSTOP')
    const publishing = publishToAll({ ...bench, fleet }, 20)
    await delay(frozenMs)
    victim?.child.kill('SIGCONT')
    await publishing
    await untilDelivered(t, bench)
  }
  await delay(1000)
  audit(t, bench, 4)
  const generations = new Map<string, number>()
  let older = 0
  for (const { path, headers } of receiver.deliveries) {
    const generation = Number(headers['delivery-generation'])
    if (generation < (generations.get(path) ?? 0)) older++
    else generations.set(path, generation)
  }
  t.ok(older <= 2 * bench.sources.length, `${older} requests of an owner that was no longer the owner`)
})

t.test('a rolling restart writes every refused message into the error stream once', async (t) => {
  const bench = await start(t, SUBSCRIPTIONS, FEW_TRIES)
  const { fleet, receiver, sources } = bench
  receiver.react(({ json }) => isPoison(numberOf(json)) ? 422 : 204)
  for (let round = 0; round < GATEWAYS; round++) {
    const publishing = publishToAll(bench, 20)
    const [victim] = fleet.gateways
    if (victim !== undefined) await fleet.end(victim, 'SIGTERM')
    await fleet.add()
    await publishing
  }
  await untilDelivered(t, bench, (number) => !isPoison(number))
  audit(t, bench, GATEWAYS * 2, (number) => !isPoison(number))
  let wrong = 0
  for (const source of sources.slice(0, 20)) {
    const poison = Array.from({ length: source.published }, (_, number) => number).filter(isPoison)
    const numbers = await until('the error entries are there', async () => {
      const entries = await fleet.errorEntries(source)
      return entries.length >= poison.length && entries.map(numberOf)
    })
    if (numbers.join() !== poison.join()) wrong++
  }
  t.equal(wrong, 0, 'each error stream has each refused message once, in order')
})
