import { randomUUID } from 'node:crypto'
import { freePorts } from '../../scripts/setup/ports.mjs'
import type { Bench } from '../bench.ts'
import { compare, type Amount, type Side } from '../compare.ts'
import type { BenchGateway } from '../gateway.ts'
import { forEach, pushFleet, subscribe } from '../push.ts'
import type { BenchWorker } from '../workers/bench-worker.ts'
import type { BarePushConfig } from '../workers/bare-push.ts'
import type { PushReceiverConfig } from '../workers/push-receiver.ts'
import { rateGoal, ratioGoal, type Case } from './case.ts'
import { lines } from './publish.ts'

const BODY_BYTES = 100
const FILL = lines(5000, BODY_BYTES)
const IN_FLIGHT = 64
const BATCH = 100
// No side is faster: so many messages are enough for all rounds.
const MOST_REQUESTS_A_SECOND = 30_000
const MOST_BATCHES_A_SECOND = 3000
const NEIGHBOURS = 99
const MESSAGES_OF_A_NEIGHBOUR = 20_000
const WARM_UP_SECONDS = 2

interface DeliveryCase {
  readonly name: string
  readonly workload: string
  readonly definition: object
  readonly inFlight: number
  /** In a request. */
  readonly messages: number
  /** Least ratio; undefined: it is only shown. */
  readonly ratio?: number
  /** Least messages a second. */
  readonly rate?: number
}

export const pushCases: readonly Case[] = [
  delivery({
    name: 'push-ordered',
    workload: `a subscription in the order of its stream, ${BODY_BYTES} B, one request in flight`,
    definition: {},
    inFlight: 1,
    messages: 1,
    ratio: 0.5
  }),
  delivery({
    name: 'push-concurrent',
    workload: `a subscription without an order, ${BODY_BYTES} B, ${IN_FLIGHT} requests in flight`,
    definition: { ordering: 'none', concurrency: IN_FLIGHT },
    inFlight: IN_FLIGHT,
    messages: 1,
    ratio: 0.4
  }),
  delivery({
    name: 'push-batch',
    workload: `a subscription in the order of its stream, ${BATCH} messages of ${BODY_BYTES} B a request, one ` +
      'request in flight',
    definition: { batch: { maxMessages: BATCH, maxBytes: 262_144, maxWaitMs: 0 } },
    inFlight: 1,
    messages: BATCH,
    rate: 100_000
  }),
  {
    name: 'push-neighbours',
    workload: `${NEIGHBOURS} subscriptions in order, and one whose endpoint never answers`,
    baseline: 'the same without it',
    async run (bench, amount) {
      const receiver = await receiverOf(bench)
      const streams = Array.from({ length: NEIGHBOURS + 1 }, () => `bench-${randomUUID()}`)
      const filler = await bench.gateway()
      await forEach(streams, async (stream) => {
        await bench.stream(filler, stream)
        await fill(bench, filler, stream, MESSAGES_OF_A_NEIGHBOUR)
      })
      const [hanging = '', ...others] = streams
      const candidate = await neighbours(bench, others)
      await subscribe(candidate.gateway, hanging, `${receiver.url}/hanging`)
      const baseline = await neighbours(bench, others)
      const comparison = await compare(candidate.side, baseline.side, amount)
      return { ...comparison, goals: [ratioGoal(0.95, comparison.ratio)] }
    }
  }
]

function delivery ({ name, workload, definition, inFlight, messages, ratio: atLeast, rate }: DeliveryCase): Case {
  return {
    name,
    workload,
    baseline: 'bare undici, which signs and sends the same to the same endpoint, ' +
      `${inFlight === 1 ? 'one' : inFlight} in flight`,
    async run (bench, amount) {
      const receiver = await receiverOf(bench)
      const filler = await bench.gateway()
      const stream = await bench.stream(filler)
      await fill(bench, filler, stream, mostMessages(messages, amount))
      const gateway = await pushFleet(bench).gateway()
      await subscribe(gateway, stream, `${receiver.url}/counted`, definition)
      const candidate = countedSide(bench, gateway, receiver.worker)
      const bare = await bareSide(bench, receiver, { inFlight, messages })
      const comparison = await compare(candidate, bare, amount)
      const goals = [
        ...atLeast === undefined ? [] : [ratioGoal(atLeast, comparison.ratio)],
        ...rate === undefined ? [] : [rateGoal(rate, comparison.candidate.rate)]
      ]
      return { ...comparison, goals }
    }
  }
}

function mostMessages (messages: number, { rounds, seconds }: Amount): number {
  const requestsASecond = messages === 1 ? MOST_REQUESTS_A_SECOND : MOST_BATCHES_A_SECOND
  return requestsASecond * messages * (rounds * seconds + WARM_UP_SECONDS)
}

async function fill (bench: Bench, gateway: BenchGateway, stream: string, count: number): Promise<void> {
  const { path, headers, body, messagesPerRequest } = FILL
  const post = { path, contentType: headers['content-type'] ?? '', body, messages: messagesPerRequest }
  await bench.fill(gateway, stream, count, post)
}

/** An endpoint in a process of its own. */
export interface Receiver {
  readonly url: string
  readonly worker: BenchWorker
}

export async function receiverOf (bench: Bench): Promise<Receiver> {
  const [port = 0] = await freePorts(1)
  const worker = await bench.worker('push-receiver', { port } satisfies PushReceiverConfig)
  return { url: `http://127.0.0.1:${port}`, worker }
}

// The endpoint holds back its answers between the rounds, so that the gateway rests while the baseline is measured.
function countedSide (bench: Bench, gateway: BenchGateway, worker: BenchWorker): Side {
  return {
    processes: { gateway: gateway.pid, broker: bench.broker.pid, receiver: worker.pid },
    pid: gateway.pid,
    round: (seconds) => worker.round(seconds)
  }
}

async function bareSide (
  bench: Bench, receiver: Receiver, { inFlight, messages }: Pick<BarePushConfig, 'inFlight' | 'messages'>
): Promise<Side> {
  const bare = await bench.worker('bare-push', {
    url: `${receiver.url}/bare`, inFlight, messages, body: bodyOf(messages)
  } satisfies BarePushConfig)
  return {
    processes: { undici: bare.pid, receiver: receiver.worker.pid },
    pid: bare.pid,
    round: (seconds) => bare.round(seconds)
  }
}

// As long as what the gateway sends.
function bodyOf (messages: number): string {
  const timestamp = new Date().toISOString()
  const message = { offset: 1_000_000, timestamp, body: 'x'.repeat(BODY_BYTES), bodyEncoding: 'text' }
  if (messages === 1) return JSON.stringify(message)
  return JSON.stringify({ messages: Array.from({ length: messages }, () => message) })
}

async function neighbours (
  bench: Bench, streams: readonly string[]
): Promise<{ gateway: BenchGateway, side: Side }> {
  const gateway = await pushFleet(bench).gateway()
  // Each side has its own endpoint: one rests while the other is measured.
  const own = await receiverOf(bench)
  await forEach(streams, async (stream) => { await subscribe(gateway, stream, `${own.url}/counted`) })
  return { gateway, side: countedSide(bench, gateway, own.worker) }
}
