import { freePorts } from '../../scripts/setup/ports.mjs'
import type { Bench } from '../bench.ts'
import { compare, measure, type Amount, type Figures, type Side } from '../compare.ts'
import type { BenchGateway } from '../gateway.ts'
import { cpuSeconds, residentBytes } from '../measure.ts'
import type { LiveConfig } from '../workers/live.ts'
import { limitGoal, ratioGoal, type Case, type CaseResult } from './case.ts'
import { protocolClientSide } from './publish.ts'

const CONNECTIONS = 1000
const IDLE_CONNECTIONS = 2000
const IDLE_SECONDS = 15
// What was needed to open them is collected.
const SETTLE_MS = 5000
const BODY_BYTES = 200
const BASELINE = 'a bare server of Node.js that writes one prepared buffer to the same sockets'

export const liveCases: readonly Case[] = [
  fanOut({ name: 'live-single', workload: 'one message at a time', messages: 1, goal: 0.7 }),
  fanOut({ name: 'live-coalesced', workload: '10 messages a chunk', messages: 10, goal: 0.5 }),
  {
    name: 'live-latency',
    workload: `${CONNECTIONS} live answers, 100 messages a second: from the publish to the arrival`,
    baseline: 'the broker\'s confirm of one message',
    async run (bench, amount) {
      const gateway = await bench.gateway({ LIVE_MAX_CONNECTIONS: '5000' })
      const candidate = await liveSide(bench, gateway, gateway, { messages: 1, everyMs: 10 })
      const figures = await measure(candidate, amount)
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
    workload: `${IDLE_CONNECTIONS} live answers on which nothing happens`,
    baseline: 'none',
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
      return await compareByCpu(candidate, await bareSide(bench, messages), goal, amount)
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

type Work = Pick<LiveConfig, 'messages' | 'everyMs'> & Partial<Pick<LiveConfig, 'bodyBytes' | 'stream'>>

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

async function bareSide (bench: Bench, messages: number): Promise<Side> {
  const [port = 0] = await freePorts(1)
  const server = await bench.worker('bare-live', { port, bodyBytes: BODY_BYTES, messages })
  const worker = await bench.worker('live', {
    port, publishPort: port, stream: 'none', connections: CONNECTIONS, bodyBytes: BODY_BYTES, messages
  } satisfies LiveConfig)
  return {
    processes: { gateway: server.pid, load: worker.pid },
    pid: server.pid,
    round: (seconds) => worker.round(seconds)
  }
}

async function confirmSide (bench: Bench, gateway: BenchGateway): Promise<Side> {
  const stream = await bench.stream(gateway)
  return await protocolClientSide(bench, {
    kind: 'confirm', stream, bodyBytes: BODY_BYTES, frameMessages: 1, inFlight: 1, messages: 0, pauseMs: 10
  })
}

async function idle (bench: Bench, amount: Amount): Promise<CaseResult> {
  const gateway = await bench.gateway()
  // The first connections make what all share.
  await liveSide(bench, gateway, gateway, { messages: 1 }, 10)
  const before = residentBytes(gateway.pid, 'now')
  const side = await liveSide(bench, gateway, gateway, { messages: 1 }, IDLE_CONNECTIONS)
  await new Promise((resolve) => { setTimeout(resolve, SETTLE_MS) })
  const bytes = (residentBytes(gateway.pid, 'now') - before) / IDLE_CONNECTIONS
  const startSeconds = cpuSeconds(gateway.pid)
  await new Promise((resolve) => { setTimeout(resolve, IDLE_SECONDS * 1000) })
  const percent = (cpuSeconds(gateway.pid) - startSeconds) / IDLE_SECONDS * 100 * 5000 / IDLE_CONNECTIONS
  return {
    candidate: await measure(side, { ...amount, rounds: 1 }),
    goals: [
      limitGoal('memory of a connection', bytes / 1000, 25, 'kB'),
      limitGoal('5,000 of them', percent, 1, '% of a core', 2)
    ]
  }
}
