import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePorts } from '../../scripts/setup/ports.mjs'
import type { Bench } from '../bench.ts'
import { measure, type Amount, type Side } from '../compare.ts'
import type { BenchGateway } from '../gateway.ts'
import { cpuSeconds, residentBytes } from '../measure.ts'
import { deliveredBy, eventually, forEach, pushFleet, subscribe } from '../push.ts'
import type { BenchWorker } from '../workers/bench-worker.ts'
import type { PushArrivalsConfig } from '../workers/push-arrivals.ts'
import { limitGoal, type Case, type CaseResult } from './case.ts'
import { protocolClientSide } from './publish.ts'

const SUBSCRIPTIONS = 1000
// What was needed to create them is collected. The runtime takes its time, and that work is not theirs.
const SETTLE_MS = 20_000
const IDLE_SECONDS = 30
const BODY_BYTES = 100

export const waitingPushCases: readonly Case[] = [
  {
    name: 'push-first',
    workload: 'one subscription at the end of its stream, one publish: from the request to publish to the delivery',
    baseline: 'the broker\'s confirm of one message',
    async run (bench, amount) {
      const gateway = await pushFleet(bench).gateway()
      const stream = await bench.stream(gateway)
      const worker = await arrivals(bench, gateway, [stream], 'one')
      const figures = await measure(arrivalsSide(bench, gateway, worker), amount)
      const baseline = await measure(await protocolClientSide(bench, {
        kind: 'confirm',
        stream: await bench.stream(gateway),
        bodyBytes: BODY_BYTES,
        frameMessages: 1,
        inFlight: 1,
        messages: 0,
        pauseMs: 20
      }), amount)
      return {
        candidate: figures,
        baseline,
        goals: [limitGoal('p50', figures.p50Ms, 10, 'ms'), limitGoal('p99', figures.p99Ms, 50, 'ms')]
      }
    }
  },
  {
    name: 'push-idle',
    workload: `${SUBSCRIPTIONS.toLocaleString('en')} subscriptions at the ends of as many streams on which nothing ` +
      'happens; then a message to each stream',
    baseline: 'a gateway with push subscriptions turned on, and none',
    run: idle
  },
  {
    name: 'push-takeover',
    workload: 'the gateway that delivers is killed: from the signal to the first delivery of another one',
    baseline: 'none',
    run: takeover
  }
]

async function arrivals (
  bench: Bench, publisher: BenchGateway, streams: readonly string[], kind: PushArrivalsConfig['kind'],
  subscriber = publisher
): Promise<BenchWorker> {
  const [port = 0] = await freePorts(1)
  const worker = await bench.worker('push-arrivals', {
    port, publishPort: publisher.port, streams, kind
  } satisfies PushArrivalsConfig)
  await forEach(streams, async (stream) => {
    await subscribe(subscriber, stream, `http://127.0.0.1:${port}/${stream}`)
  })
  return worker
}

function arrivalsSide (bench: Bench, gateway: BenchGateway, worker: BenchWorker): Side {
  return {
    processes: { gateway: gateway.pid, broker: bench.broker.pid, load: worker.pid },
    pid: gateway.pid,
    round: (seconds) => worker.round(seconds)
  }
}

async function idle (bench: Bench, amount: Amount): Promise<CaseResult> {
  const publisher = await bench.gateway()
  const empty = await pushFleet(bench).gateway()
  const gateway = await pushFleet(bench).gateway()
  const streams = Array.from({ length: SUBSCRIPTIONS }, () => `bench-${randomUUID()}`)
  await forEach(streams, async (stream) => { await bench.stream(publisher, stream) })
  const worker = await arrivals(bench, publisher, streams, 'each', gateway)
  await sleep(SETTLE_MS)
  // Both have had the same time.
  const bytes = residentBytes(gateway.pid, 'now') - residentBytes(empty.pid, 'now')
  const used = [gateway, empty].map(({ pid }) => cpuSeconds(pid))
  await sleep(IDLE_SECONDS * 1000)
  const [busy = NaN, floor = NaN] = [gateway, empty].map(({ pid }, index) =>
    (cpuSeconds(pid) - (used[index] ?? NaN)) / IDLE_SECONDS * 100)
  const readers = await gateway.metric('readers')
  const figures = await measure(arrivalsSide(bench, gateway, worker), { ...amount, rounds: 1 }, { isCold: true })
  const core = limitGoal('CPU time', busy - floor, 1, '% of a core', 2)
  return {
    candidate: figures,
    goals: [
      { ...core, measured: `${core.measured} (without any: ${floor.toFixed(2)} %)` },
      limitGoal('memory', bytes / 1e6, 20, 'MB'),
      limitGoal(`p99 of the delivery of a message to each, ${readers} readers`, figures.p99Ms, 1000, 'ms')
    ]
  }
}

async function takeover (bench: Bench, amount: Amount): Promise<CaseResult> {
  const fleet = pushFleet(bench)
  const publisher = await bench.gateway()
  let survivor = await fleet.gateway()
  const stream = await bench.stream(publisher)
  const worker = await arrivals(bench, publisher, [stream], 'takeover', survivor)
  const side: Side = {
    ...arrivalsSide(bench, survivor, worker),
    async round (seconds) {
      const gateways = [survivor, await fleet.gateway()]
      const owner = await eventually('an owner', async () => await ownerOf(gateways, stream))
      const arrived = worker.round(seconds)
      await sleep(1000)
      const killedMs = owner.kill()
      const { latenciesMs: [atMs = NaN] } = await arrived
      survivor = gateways.find((gateway) => gateway !== owner) ?? survivor
      return { count: 1, seconds: (atMs - killedMs) / 1000, latenciesMs: [atMs - killedMs] }
    }
  }
  const figures = await measure(side, amount)
  return {
    candidate: figures,
    goals: [limitGoal('p50', figures.p50Ms, 1000, 'ms')]
  }
}

// A gateway that has just started may take some from another one: the owner has to stay the same for a moment.
async function ownerOf (gateways: readonly BenchGateway[], stream: string): Promise<BenchGateway | undefined> {
  const look = async (): Promise<readonly BenchGateway[]> => {
    const delivered = await Promise.all(gateways.map(async (gateway) => (await deliveredBy(gateway)).has(stream)))
    return gateways.filter((_, index) => delivered[index] === true)
  }
  const [first, ...others] = await look()
  await sleep(1000)
  const [again] = await look()
  return others.length === 0 && first === again ? first : undefined
}
