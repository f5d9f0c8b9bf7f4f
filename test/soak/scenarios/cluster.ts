import { setTimeout as delay } from 'node:timers/promises'
import type { Workload } from '../../support/workload/index.ts'
import { choose } from '../random.ts'
import type { World } from '../world.ts'
import type { Scenario } from './scenario.ts'

/** What happens to a cluster of three nodes, each of which has a member of every stream. */
export const clusterScenarios: readonly Scenario[] = [
  {
    name: 'leader-killed',
    nodes: 3,
    async run ({ world, workload }) {
      const node = await world.leaderOf(workload.streams.named)
      await node.kill('SIGKILL')
      await workload.untilConfirmed(200)
      await node.start()
      await untilWhole(world, workload)
    }
  },
  {
    name: 'replica-killed',
    nodes: 3,
    async run ({ world, workload, random }) {
      const leader = await world.leaderOf(workload.streams.named)
      const node = choose(world.nodes.filter((other) => other !== leader), random)
      await node.kill('SIGKILL')
      await workload.untilConfirmed(200)
      await node.start()
      await untilWhole(world, workload)
    }
  },
  {
    name: 'quorum-lost',
    nodes: 3,
    async run ({ world, workload, random }) {
      const survivor = choose(world.nodes, random)
      const others = world.nodes.filter((node) => node !== survivor)
      await Promise.all(others.map(async (node) => await node.kill('SIGKILL')))
      await delay(random() * 5000)
      await Promise.all(others.map(async (node) => await node.start()))
      await untilWhole(world, workload)
    }
  },
  {
    name: 'node-stopped',
    nodes: 3,
    async run ({ world, workload, random }) {
      const node = choose(world.nodes, random)
      await node.stop()
      await workload.untilConfirmed(200)
      await node.start()
      await untilWhole(world, workload)
    }
  }
]

async function untilWhole (world: World, workload: Workload): Promise<void> {
  for (const stream of Object.values(workload.streams)) await world.untilWhole(stream)
}
