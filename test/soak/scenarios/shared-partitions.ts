import { randomUUID } from 'node:crypto'
import { HttpClient } from '../../support/workload/index.ts'
import { SharedWorker } from '../../support/shared-worker.ts'
import { until } from '../../support/until.ts'
import type { World } from '../world.ts'
import type { Scenario } from './scenario.ts'

const PARTITIONS = 12
/** Three heartbeats, and what it takes RabbitMQ to give the partitions to others. */
const MAX_TAKEOVER_MS = 20_000

/** Workers that share the partitions of a super stream, beside the load. */
export const sharedPartitionScenarios: readonly Scenario[] = [
  {
    name: 'shared-partitions-frozen',
    nodes: 1,
    async run ({ world }) {
      await withWorkers(world, async ([frozen, other]) => {
        await until('they have a half each', () => frozen.active.size === 6 && other.active.size === 6, 60_000)
        const [gateway] = world.gateways
        gateway?.child.kill('SIGSTOP')
        const startMs = performance.now()
        try {
          await until('the other one has all', () => other.active.size === PARTITIONS, 60_000)
          const tookMs = Math.round(performance.now() - startMs)
          if (tookMs > MAX_TAKEOVER_MS) world.alarms.push(`a frozen gateway kept its partitions for ${tookMs} ms`)
        } finally {
          gateway?.child.kill('SIGCONT')
        }
        await until('they have a half each', () => frozen.active.size === 6 && other.active.size === 6, 60_000)
        world.alarms.push(...frozen.faults, ...other.faults)
      })
    }
  }
]

/** A worker at each of the two gateways. */
async function withWorkers (
  world: World, act: (workers: readonly [SharedWorker, SharedWorker]) => Promise<void>
): Promise<void> {
  const [first, second] = world.targets
  if (first === undefined || second === undefined) throw new Error('there are not two gateways')
  const client = new HttpClient(first)
  const name = `side-${randomUUID()}`
  const ends: Array<() => unknown> = []
  const owner = { teardown: (end: () => unknown) => { ends.push(end) } }
  try {
    const body = JSON.stringify({ partitions: PARTITIONS })
    await client.call('PUT', `/v1/super-streams/${name}`, { body, contentType: 'application/json' })
    await act([new SharedWorker(owner, first.url, name, 'c'), new SharedWorker(owner, second.url, name, 'c')])
  } finally {
    for (const end of ends) end()
    await client.call('DELETE', `/v1/super-streams/${name}`)
    await client.close()
  }
}
