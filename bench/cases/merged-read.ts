import { randomBytes } from 'node:crypto'
import { compare, type Side } from '../compare.ts'
import type { Load } from '../workers/load.ts'
import { ratioGoal, type Case } from './case.ts'
import { envelopes } from './publish.ts'
import { readSide } from './read.ts'

const PARTITIONS = 16
const CLIENTS = PARTITIONS
const QUERY = 'limit=1000'

/** Super streams. */
export const mergedReadCases: readonly Case[] = [
  {
    name: 'merged-read',
    workload: `${CLIENTS} clients that each read ${PARTITIONS} partitions as one, by 1,000 messages, 100 B JSON bodies`,
    baseline: 'a client for each partition that reads it as a stream',
    async run (bench, amount) {
      const gateway = await bench.gateway()
      // Each message names its partition, so the length of the name is a part of what is measured.
      const superStream = `bench-${randomBytes(2).toString('hex')}`
      const partitions = await bench.superStream(gateway, superStream, PARTITIONS)
      const { path, headers, body, messagesPerRequest } = envelopes(1000, 100)
      const post = { path, contentType: headers['content-type'] ?? '', body, messages: messagesPerRequest }
      const filler = await bench.gateway()
      for (const partition of partitions) await bench.fill(filler, partition, 40_000, post)
      const baseline = await readSide(bench, gateway, partitions, `messages?${QUERY}`)
      const load = await bench.worker('load', {
        kind: 'merged', port: gateway.port, superStream, query: QUERY, connections: CLIENTS
      } satisfies Load)
      const candidate: Side = {
        processes: { gateway: gateway.pid, broker: bench.broker.pid, load: load.pid },
        pid: gateway.pid,
        round: (seconds) => load.round(seconds)
      }
      const comparison = await compare(candidate, baseline, amount)
      return { ...comparison, goals: [ratioGoal(0.8, comparison.ratio)] }
    }
  }
]
