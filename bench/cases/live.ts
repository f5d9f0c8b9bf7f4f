import { setTimeout as sleep } from 'node:timers/promises'
import { freePorts } from '../../scripts/setup/ports.mjs'
import type { Bench } from '../bench.ts'
import { compare, measure, type Amount, type Figures, type Side } from '../compare.ts'
import type { BenchGateway } from '../gateway.ts'
import { cpuSeconds, residentBytes } from '../measure.ts'
import type { BareLiveConfig } from '../workers/bare-live.ts'
import type { LiveConfig } from '../workers/live.ts'
import type { LiveLatencyConfig } from '../workers/live-latency.ts'
import type { LiveSinkConfig } from '../workers/live-sink.ts'
import { limitGoal, ratioGoal, type Case, type CaseResult } from './case.ts'
import { protocolClientSide } from './publish.ts'

const CONNECTIONS = 1000
const IDLE_CONNECTIONS = 2000
// Two heartbeats of each.
const IDLE_SECONDS = 30
const HEARTBEAT_MS = 15_000
// What was needed to open them is collected. The runtime takes its time, and that work is not theirs.
const SETTLE_MS = 20_000
const BODY_BYTES = 200
// Of the case live-latency, at the beginning and at the end of the connections.
const WATCHED = 10
const BASELINE = 'a bare server of Node.js that writes one prepared buffer to the same sockets'

export const liveCases: readonly Case[] = [
  fanOut({ name: 'live-single', workload: 'one message at a time', messages: 1, goal: 0.7 }),
  fanOut({ name: 'live-coalesced', workload: '10 messages a chunk', messages: 10, goal: 0.5 }),
  {
    name: 'live-latency',
    workload: `${CONNECTIONS} live answers, 100 messages a second: from when a message is due to its arrival, at the ` +
      'first ten and the last ten of them',
    baseline: 'the broker\'s confirm of one message',
    async run (bench, amount) {
      const gateway = await bench.gateway()
      const figures = await measure(await latencySide(bench, gateway), amount)
      const baseline = await measure(await confirmSide(bench, gateway), amount)
      return {
        candidate: figures,
        baseline,
        goals: [
          limitGoal('p50', figures.p50Ms, baseline.p50Ms + 3, 'ms'),
          limitGoal('p99', figures.p99Ms, 20, 'ms')
        ]
      }
    }
  },
  {
    name: 'live-idle',
    workload: `${IDLE_CONNECTIONS} live answers on which nothing happens, beyond what a gateway without them takes`,
    baseline: 'a bare server of Node.js that writes the same heartbeats',
    run: idle
  }
]

interface FanOut {
  readonly name: string
  readonly workload: string
  readonly messages: number
  readonly goal: number
}

// In deliveries for each second of CPU time: the load generator and the broker take most of two cores.
function fanOut ({ name, workload, messages, goal }: FanOut): Case {
  return {
    name,
    workload: `${CONNECTIONS} live answers, ${BODY_BYTES} B, ${workload}; messages for each CPU second`,
    baseline: BASELINE,
    async run (bench, amount) {
      const publisher = await bench.gateway()
      const gateway = await bench.gateway()
      const candidate = await liveSide(bench, gateway, publisher, { messages })
      return await compareByCpu(candidate, await bareSide(bench, { messages }), goal, amount)
    }
  }
}

/** Compares messages for each second of the gateway's CPU time. */
export async function compareByCpu (
  candidate: Side, baseline: Side, goal: number, amount: Amount
): Promise<CaseResult> {
  const comparison = await compare(candidate, baseline, amount)
  const [perSecond, ceiling] = [comparison.candidate, comparison.baseline].map(perCpuSecond)
  const ratio = (perSecond ?? NaN) / (ceiling ?? NaN)
  return {
    candidate: { ...comparison.candidate, rate: perSecond ?? NaN },
    baseline: { ...comparison.baseline, rate: ceiling ?? NaN },
    ratio,
    goals: [ratioGoal(goal, ratio)]
  }
}

function perCpuSecond ({ rates, cores }: Figures): number {
  const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length
  return mean / (cores['gateway'] ?? NaN)
}

type Work = Pick<LiveConfig, 'messages'> & Partial<Pick<LiveConfig, 'bodyBytes' | 'stream'>>

/** Connections that follow a stream, a new one where none is named, and what publishes to it. */
export async function liveSide (
  bench: Bench, gateway: BenchGateway, publisher: BenchGateway, work: Work, connections = CONNECTIONS
): Promise<Side> {
  const stream = work.stream ?? await bench.stream(gateway)
  const config: LiveConfig = {
    port: gateway.port, publishPort: publisher.port, connections, bodyBytes: BODY_BYTES, ...work, stream
  }
  const worker = await bench.worker('live', config)
  return {
    processes: { gateway: gateway.pid, broker: bench.broker.pid, load: worker.pid },
    pid: gateway.pid,
    round: (seconds) => worker.round(seconds)
  }
}

async function bareSide (
  bench: Bench, work: Pick<BareLiveConfig, 'messages' | 'heartbeatMs'>, connections = CONNECTIONS
): Promise<Side> {
  const [port = 0] = await freePorts(1)
  const { messages } = work
  const server = await bench.worker('bare-live', { port, bodyBytes: BODY_BYTES, ...work } satisfies BareLiveConfig)
  const worker = await bench.worker('live', {
    port, publishPort: port, stream: 'none', connections, bodyBytes: BODY_BYTES, messages
  } satisfies LiveConfig)
  return {
    processes: { gateway: server.pid, load: worker.pid },
    pid: server.pid,
    round: (seconds) => worker.round(seconds)
  }
}

// Those whose arrivals are measured have processes of their own, which do little else.
async function latencySide (bench: Bench, gateway: BenchGateway): Promise<Side> {
  const publisher = await bench.gateway()
  const stream = await bench.stream(gateway)
  const { port } = gateway
  const watched = { port, stream, connections: WATCHED, bodyBytes: BODY_BYTES, everyMs: 10 }
  const first = await bench.worker('live-latency', {
    ...watched, publishPort: publisher.port
  } satisfies LiveLatencyConfig)
  const sink = await bench.worker('live-sink', {
    port, stream, connections: CONNECTIONS - 2 * WATCHED
  } satisfies LiveSinkConfig)
  const last = await bench.worker('live-latency', watched satisfies LiveLatencyConfig)
  return {
    processes: {
      gateway: gateway.pid, publisher: publisher.pid, broker: bench.broker.pid, sink: sink.pid, load: first.pid
    },
    pid: gateway.pid,
    async round (seconds) {
      const [one, two] = await Promise.all([first.round(seconds), last.round(seconds), sink.round(seconds)])
      const latenciesMs = [...one.latenciesMs, ...two.latenciesMs]
      return { ...one, count: one.count * CONNECTIONS, latenciesMs }
    }
  }
}

async function confirmSide (bench: Bench, gateway: BenchGateway): Promise<Side> {
  const stream = await bench.stream(gateway)
  return await protocolClientSide(bench, {
    kind: 'confirm', stream, bodyBytes: BODY_BYTES, frameMessages: 1, inFlight: 1, messages: 0, pauseMs: 10
  })
}

async function idle (bench: Bench, amount: Amount): Promise<CaseResult> {
  const empty = await bench.gateway()
  await liveSide(bench, empty, empty, { messages: 1 }, 10)
  const gateway = await bench.gateway()
  // The first connections make what all share.
  await liveSide(bench, gateway, gateway, { messages: 1 }, 10)
  const before = residentBytes(gateway.pid, 'now')
  const side = await liveSide(bench, gateway, gateway, { messages: 1 }, IDLE_CONNECTIONS)
  const bare = await bareSide(bench, { messages: 1, heartbeatMs: HEARTBEAT_MS }, IDLE_CONNECTIONS)
  await sleep(SETTLE_MS)
  const bytes = (residentBytes(gateway.pid, 'now') - before) / IDLE_CONNECTIONS
  const used = [gateway, empty, bare].map(({ pid }) => cpuSeconds(pid))
  await sleep(IDLE_SECONDS * 1000)
  const [busy = NaN, idle = NaN, floor = NaN] = [gateway, empty, bare].map(({ pid }, index) =>
    (cpuSeconds(pid) - (used[index] ?? NaN)) / IDLE_SECONDS * 100)
  // What a gateway without connections takes is not theirs.
  const goal = limitGoal('5,000 of them', (busy - idle) * 5000 / IDLE_CONNECTIONS, 1, '% of a core', 2)
  const bareText = `a bare server: ${(floor * 5000 / IDLE_CONNECTIONS).toFixed(2)} %; without any: ${idle.toFixed(2)} %`
  return {
    candidate: await measure(side, { ...amount, rounds: 1 }),
    goals: [
      limitGoal('memory of a connection', bytes / 1000, 25, 'kB'),
      { ...goal, measured: `${goal.measured} (${bareText})` }
    ]
  }
}
