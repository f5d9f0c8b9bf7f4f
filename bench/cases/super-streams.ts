import { randomUUID } from 'node:crypto'
import { hashOf } from '../../src/streams/partitions/hash.ts'
import type { Bench } from '../bench.ts'
import { compare, type Side } from '../compare.ts'
import type { BenchGateway } from '../gateway.ts'
import type { Load } from '../workers/load.ts'
import { ratioGoal, type Case } from './case.ts'
import { lines, publishSide, type Batch } from './publish.ts'

const CONNECTIONS = 32
// For each partition.
const KEYS = 16

/**
 * Publishing to super streams, beside publishing to as many streams: the broker does more work for many streams than
 * for one.
 */
export const superStreamCases: readonly Case[] = [3, 16].map((partitions) => ({
  name: `super-publish-${partitions}`,
  workload: `1,000 lines of 100 B a request, by the hash of a key to ${partitions} partitions`,
  baseline: `the same lines to ${partitions} streams`,
  async run (bench, amount) {
    const gateway = await bench.gateway()
    const batch = lines(1000, 100)
    const candidate = await superSide(bench, gateway, partitions, batch)
    const streams: string[] = []
    while (streams.length < partitions) streams.push(await bench.stream(gateway))
    const baseline = await publishSide(bench, gateway, streams, batch)
    const comparison = await compare(candidate, baseline, amount)
    return { ...comparison, goals: [ratioGoal(0.9, comparison.ratio)] }
  }
}))

async function superSide (
  bench: Bench, gateway: BenchGateway, partitions: number, { bodyBytes: _, path, ...request }: Batch
): Promise<Side> {
  const name = `bench-${randomUUID()}`
  await bench.superStream(gateway, name, partitions)
  const load = await bench.worker('load', {
    kind: 'repeat',
    port: gateway.port,
    connections: CONNECTIONS,
    method: 'POST',
    ...request,
    paths: keysFor(partitions).map((key) => `/v1/super-streams/${name}/${path}?routingKey=${key}`),
    status: 200,
    answer: undefined // it names the partition
  } satisfies Load)
  return {
    processes: { gateway: gateway.pid, broker: bench.broker.pid, load: load.pid },
    pid: gateway.pid,
    round: (seconds) => load.round(seconds)
  }
}

// They take the partitions in turn, as the baseline takes its streams.
function keysFor (partitions: number): string[] {
  return Array.from({ length: KEYS * partitions }, (_, at) => {
    let key = randomUUID()
    while (hashOf(key) % partitions !== at % partitions) key = randomUUID()
    return key
  })
}
