import { setTimeout as delay } from 'node:timers/promises'
import type { FaultProxy } from '../../support/proxy.ts'
import type { World } from '../world.ts'
import type { Scenario } from './scenario.ts'

/** What happens on the way between the gateways and the broker. */
export const networkScenarios: readonly Scenario[] = [
  {
    name: 'connections-reset',
    nodes: 1,
    async run ({ world, random }) {
      for (let times = 0; times < 10; times++) {
        proxyOf(world).killConnections()
        await delay(random() * 1000)
      }
    }
  },
  {
    name: 'network-silent',
    nodes: 1,
    async run ({ world, random }) {
      const proxy = proxyOf(world)
      proxy.pause()
      await delay(random() * 8000)
      proxy.resume()
    }
  },
  {
    name: 'network-slow',
    nodes: 1,
    async run ({ world, workload }) {
      const proxy = proxyOf(world)
      proxy.setLatency(150)
      await workload.untilConfirmed(500)
      proxy.setLatency(0)
    }
  },
  {
    name: 'broker-unreachable',
    nodes: 1,
    async run ({ world, random }) {
      const proxy = proxyOf(world)
      proxy.refuse()
      proxy.killConnections()
      await delay(random() * 5000)
      proxy.accept()
    }
  }
]

function proxyOf ({ proxy }: World): FaultProxy {
  if (proxy === undefined) throw new Error('there is no proxy before a cluster')
  return proxy
}
