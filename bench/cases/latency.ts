import { randomUUID } from 'node:crypto'
import { compare, measure, type Side } from '../compare.ts'
import { residentBytes } from '../measure.ts'
import type { Bench } from '../bench.ts'
import type { BenchGateway } from '../gateway.ts'
import type { ManyStreamsConfig } from '../workers/many-streams.ts'
import type { PollsConfig } from '../workers/polls.ts'
import { limitGoal, ratioGoal, type Case } from './case.ts'
import { protocolClientSide } from './publish.ts'

const BODY_BYTES = 100
// Between two messages, so that each finds gateway and broker idle.
const PAUSE_MS = 10
const WAITING_POLLS = 500
const STREAMS = 2000
const MB = 1_000_000

export const latencyCases: readonly Case[] = [
  {
    name: 'wake-up',
    workload: 'a waiting poll, one publish: from the request to publish to the answer of the poll',
    baseline: 'the broker\'s confirm of one message',
    async run (bench, amount) {
      const gateway = await bench.gateway()
      const stream = await bench.stream(gateway)
      const candidate = await pollsSide(bench, gateway, stream, 1)
      const baseline = await protocolClientSide(bench, {
        kind: 'confirm',
        stream: await bench.stream(gateway),
        bodyBytes: BODY_BYTES,
        frameMessages: 1,
        inFlight: 1,
        messages: 0,
        pauseMs: PAUSE_MS
      })
      const { candidate: wakeUp, baseline: confirm } = await compare(candidate, baseline, amount)
      return {
        candidate: wakeUp,
        baseline: confirm,
        goals: [
          limitGoal('p50 of the wake-up', wakeUp.p50Ms, confirm.p50Ms + 3, 'ms'),
          limitGoal('p99 of the wake-up', wakeUp.p99Ms, confirm.p99Ms + 15, 'ms')
        ]
      }
    }
  },
  {
    name: 'fan-out',
    workload: `${WAITING_POLLS} waiting polls on one stream, one publish: until the last poll is answered`,
    baseline: '1 poll',
    async run (bench, amount) {
      const gateway = await bench.gateway()
      const candidate = await pollsSide(bench, gateway, await bench.stream(gateway), WAITING_POLLS, 50)
      const figures = await measure(candidate, amount)
      const subscriptions = await gateway.metric('readers')
      const baseline = await measure(await pollsSide(bench, gateway, await bench.stream(gateway), 1), amount)
      return {
        candidate: figures,
        baseline,
        goals: [
          limitGoal('last poll answered, p99', figures.p99Ms, 100, 'ms'),
          limitGoal('subscriptions', subscriptions, 1, 'on the broker', 0)
        ]
      }
    }
  },
  {
    name: 'many-streams',
    workload: `${STREAMS.toLocaleString('en')} streams, one publish and one poll each, in turn and again`,
    baseline: 'its own first round',
    async run (bench) {
      const gateway = await bench.gateway()
      const prefix = `bench-${randomUUID()}`
      await createStreams(bench, gateway, prefix)
      const idleBytes = residentBytes(gateway.pid, 'now')
      const config: ManyStreamsConfig = { port: gateway.port, prefix, streams: STREAMS, connections: 16 }
      const worker = await bench.worker('many-streams', config)
      const side: Side = {
        processes: { gateway: gateway.pid, broker: bench.broker.pid, load: worker.pid },
        pid: gateway.pid,
        round: (seconds) => worker.round(seconds)
      }
      const first = await measure(side, { rounds: 1, seconds: 0 }, { isCold: true })
      const second = await measure(side, { rounds: 1, seconds: 0 }, { isCold: true })
      const ratio = second.rate / first.rate
      return {
        candidate: second,
        baseline: first,
        ratio,
        goals: [
          limitGoal('connections', await gateway.metric('connections'), 20, 'to the broker', 0),
          limitGoal('memory above idle', (residentBytes(gateway.pid, 'peak') - idleBytes) / MB, 150, 'MB'),
          ratioGoal(0.95, ratio)
        ]
      }
    }
  }
]

async function pollsSide (
  bench: Bench, gateway: BenchGateway, stream: string, polls: number, pauseMs = PAUSE_MS
): Promise<Side> {
  const config: PollsConfig = { port: gateway.port, stream, polls, bodyBytes: BODY_BYTES, pauseMs }
  const worker = await bench.worker('polls', config)
  return {
    processes: { gateway: gateway.pid, broker: bench.broker.pid, load: worker.pid },
    pid: gateway.pid,
    round: (seconds) => worker.round(seconds)
  }
}

async function createStreams (bench: Bench, gateway: BenchGateway, prefix: string): Promise<void> {
  let next = 0
  await Promise.all(Array.from({ length: 8 }, async () => {
    while (next < STREAMS) await bench.stream(gateway, `${prefix}-${next++}`)
  }))
}
