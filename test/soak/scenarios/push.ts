import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { ledgerOf, PushFleet, type Source } from '../../support/push-fleet.ts'
import { startReceiver, type PushReceiver } from '../../support/push-receiver.ts'
import { until } from '../../support/until.ts'
import { choose } from '../random.ts'
import type { World } from '../world.ts'
import type { Scenario } from './scenario.ts'

const GATEWAYS = 3
const SUBSCRIPTIONS = 100
const KILLS = 20
const FREEZES = 4
const COMMIT = { everyMs: 500, everyMessages: 20 }
/** How often a message may be sent again for each takeover: what was not stored yet, and the one in flight. */
const WINDOW = COMMIT.everyMessages + 1
/** A node that is killed may block its groups for a minute. */
const LAST_DELIVERY_MS = 180_000

interface Bench { readonly fleet: PushFleet, readonly receiver: PushReceiver, readonly sources: readonly Source[] }

/** Gateways of their own that deliver push subscriptions, beside the load. */
export const pushScenarios: readonly Scenario[] = [
  {
    name: 'push-gateways-killed',
    nodes: 1,
    async run ({ world, random }) {
      await withFleet(world, async (bench) => {
        const { fleet } = bench
        for (let kill = 0; kill < KILLS; kill++) {
          await publishToAll(bench, 5)
          await delay(random() * 500)
          await fleet.end(choose(fleet.gateways, random), 'SIGKILL')
          await publishToAll(bench, 5)
          await fleet.add()
        }
        await audit(world, bench, 2 * KILLS)
      })
    }
  },
  {
    name: 'push-gateways-frozen',
    nodes: 1,
    async run ({ world, random }) {
      await withFleet(world, async (bench) => {
        for (let freeze = 0; freeze < FREEZES; freeze++) {
          const { child } = choose(bench.fleet.gateways, random)
          child.kill('SIGSTOP')
          const publishing = publishToAll(bench, 20)
          await delay(2000 + random() * 8000)
          child.kill('SIGCONT')
          await publishing
        }
        await audit(world, bench, 2 * FREEZES)
      })
    }
  }
]

async function withFleet (world: World, act: (bench: Bench) => Promise<void>): Promise<void> {
  const ends: Array<() => unknown> = []
  const owner = { teardown: (end: () => unknown) => { ends.unshift(end) } }
  try {
    const fleet = await PushFleet.start(owner, {
      gateways: GATEWAYS,
      env: {
        PUSH_STREAM_PREFIX: `push-${randomUUID()}`,
        RABBITMQ_STREAM_URL: `rabbitmq-stream://guest:guest@127.0.0.1:${world.node.streamPort}/%2f`,
        RABBITMQ_MANAGEMENT_URL: world.node.managementUrl
      }
    })
    const receiver = await startReceiver(owner)
    const sources = await fleet.newSources(owner, SUBSCRIPTIONS, receiver, { commit: COMMIT })
    await act({ fleet, receiver, sources })
  } finally {
    for (const end of ends) await end()
  }
}

async function publishToAll ({ fleet, sources }: Bench, count: number): Promise<void> {
  await Promise.all(sources.map(async (source) => { await fleet.publish(source, count) }))
}

/** Holds what the receiver got against what was published. */
async function audit (world: World, { receiver, sources }: Bench, takeovers: number): Promise<void> {
  await until('everything is delivered', () => sources.every((source) => {
    return new Set(ledgerOf(receiver.deliveries, source).processed).size === source.published
  }), LAST_DELIVERY_MS).catch(() => {})
  for (const source of sources) {
    const { processed, repeats, outOfOrder } = ledgerOf(receiver.deliveries, source)
    const missing = source.published - new Set(processed).size
    if (missing > 0) world.alarms.push(`${missing} of ${source.published} of ${source.stream} were not delivered`)
    if (outOfOrder.length > 0) world.alarms.push(`${outOfOrder.length} of ${source.stream} came out of order`)
    if (repeats > WINDOW * takeovers) world.alarms.push(`${repeats} of ${source.stream} came again`)
  }
}
