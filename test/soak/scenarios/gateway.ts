import { setTimeout as delay } from 'node:timers/promises'
import { choose } from '../random.ts'
import type { Scenario } from './scenario.ts'

/** What happens to the gateways themselves. */
export const gatewayScenarios: readonly Scenario[] = [
  {
    name: 'gateway-killed',
    nodes: 1,
    async run ({ world, workload, random }) {
      for (let times = 0; times < 3; times++) {
        await world.restartGateway(choose([0, 1], random), 'SIGKILL')
        await workload.untilConfirmed(200)
      }
    }
  },
  {
    name: 'gateway-stopped',
    nodes: 1,
    async run ({ world, workload }) {
      for (const index of [0, 1]) {
        const { code } = await world.restartGateway(index, 'SIGTERM')
        if (code !== 0) world.alarms.push(`a gateway that was told to end ended with ${String(code)}`)
        await workload.untilConfirmed(200)
      }
    }
  },
  {
    name: 'gateway-frozen',
    nodes: 1,
    async run ({ world, random }) {
      const gateway = choose(world.gateways, random)
      gateway.child.kill('SIGSTOP')
      await delay(1000 + random() * 8000)
      gateway.child.kill('SIGCONT')
    }
  }
]
