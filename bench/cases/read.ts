import type { Bench } from '../bench.ts'
import { compare, type Side } from '../compare.ts'
import type { BenchGateway } from '../gateway.ts'
import type { Load } from '../workers/load.ts'
import { ratioGoal, type Case } from './case.ts'
import { envelopes, jsClientSide, lines, protocolClientSide, type Batch } from './publish.ts'

const MIB = 1024 * 1024
const SLOW_BYTES_PER_SECOND = 10_000

/** As many lines as fit into a MiB. */
const LINES = `messages/lines?limit=10000&maxBytes=${MIB}`
const JSON_MESSAGES = 'messages?limit=1000'

/** Clients that follow `nextOffset`, one connection each: one client for each stream that is named. */
export async function readSide (
  bench: Bench, gateway: BenchGateway, streams: readonly string[], query: string, bytesPerMessage?: number
): Promise<Side> {
  const paths = streams.map((stream) => `/v1/streams/${stream}/${query}`)
  const load = await bench.worker('load', { kind: 'follow', port: gateway.port, paths, bytesPerMessage } satisfies Load)
  return {
    processes: { gateway: gateway.pid, broker: bench.broker.pid, load: load.pid },
    pid: gateway.pid,
    round: (seconds) => load.round(seconds)
  }
}

/** A stream filled with these batches. */
export async function filled (
  bench: Bench, count: number, batch: Batch
): Promise<{ stream: string, messages: number }> {
  const { path, headers, body, messagesPerRequest } = batch
  return await bench.filledStream(count, {
    path,
    contentType: headers['content-type'] ?? '',
    body,
    messages: messagesPerRequest
  })
}

export const readCases: readonly Case[] = [
  againstJsClient({
    name: 'read-lines',
    workload: 'polls of up to 1 MiB, following nextOffset, 100 B',
    query: LINES,
    batch: lines(5000, 100),
    messages: 2_000_000,
    bytesPerMessage: 101,
    goal: 1
  }),
  againstJsClient({
    name: 'read-lines-1k',
    workload: 'polls of up to 1 MiB, following nextOffset, 1 kB',
    query: LINES,
    batch: lines(500, 1000),
    messages: 400_000,
    bytesPerMessage: 1001,
    goal: 2
  }),
  againstJsClient({
    name: 'read-json',
    workload: 'polls of 1,000 messages, following nextOffset, 100 B JSON bodies',
    query: JSON_MESSAGES,
    batch: envelopes(5000, 100),
    messages: 1_000_000,
    goal: 0.6
  }),
  {
    name: 'ceiling-read',
    workload: 'polls of up to 1 MiB, following nextOffset, 100 B',
    baseline: 'our protocol client in process, no HTTP',
    async run (bench, amount) {
      const gateway = await bench.gateway()
      const batch = lines(5000, 100)
      const { stream, messages } = await filled(bench, 2_000_000, batch)
      const candidate = await readSide(bench, gateway, [stream], LINES, batch.bodyBytes + 1)
      const baseline = await protocolClientSide(bench, {
        kind: 'consume',
        stream,
        bodyBytes: batch.bodyBytes,
        frameMessages: 0,
        inFlight: 0,
        messages,
        pauseMs: 0
      })
      const comparison = await compare(candidate, baseline, amount)
      return { ...comparison, goals: [ratioGoal(0.7, comparison.ratio)] }
    }
  },
  {
    name: 'slow-reader',
    workload:
      'four clients that poll 1 MiB of 100 B lines at full speed, and one that reads an answer of 10 MB at 10 kB/s',
    baseline: 'the same without it',
    async run (bench, amount) {
      const gateway = await bench.gateway()
      const batch = lines(5000, 100)
      const streams = await Promise.all(
        Array.from({ length: 4 }, async () => (await filled(bench, 1_000_000, batch)).stream)
      )
      const fast = await readSide(bench, gateway, streams, LINES, batch.bodyBytes + 1)
      const large = await filled(bench, 20_000, lines(500, 1000))
      const slow = await bench.worker('slow-reader', {
        port: gateway.port,
        path: `/v1/streams/${large.stream}/messages/lines?offset=0&limit=10000&maxBytes=${16 * MIB}`,
        bytesPerSecond: SLOW_BYTES_PER_SECOND
      })
      const candidate: Side = {
        ...fast,
        async round (seconds) {
          const [sample] = await Promise.all([fast.round(seconds), slow.round(seconds)])
          return sample
        }
      }
      const comparison = await compare(candidate, fast, amount)
      return { ...comparison, goals: [ratioGoal(0.95, comparison.ratio)] }
    }
  }
]

interface ReadCase {
  readonly name: string
  readonly workload: string
  readonly query: string
  /** What the stream is filled with, until it has `messages` of them. */
  readonly batch: Batch
  readonly messages: number
  readonly bytesPerMessage?: number
  /** Least ratio. */
  readonly goal: number
}

function againstJsClient ({
  name, workload, query, batch, messages: count, bytesPerMessage, goal
}: ReadCase): Case {
  return {
    name,
    workload,
    baseline: 'a consumer of the JavaScript client in process',
    async run (bench, amount) {
      const gateway = await bench.gateway()
      const { stream, messages } = await filled(bench, count, batch)
      const candidate = await readSide(bench, gateway, [stream], query, bytesPerMessage)
      const baseline = await jsClientSide(bench, {
        kind: 'consume',
        stream,
        bodyBytes: batch.bodyBytes,
        inFlight: 0,
        messages
      })
      const comparison = await compare(candidate, baseline, amount)
      return { ...comparison, goals: [ratioGoal(goal, comparison.ratio)] }
    }
  }
}
