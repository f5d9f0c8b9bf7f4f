import { setTimeout as delay } from 'node:timers/promises'
import { randomUUID } from 'node:crypto'
import type { Bench } from '../bench.ts'
import { compare } from '../compare.ts'
import type { BenchGateway } from '../gateway.ts'
import { cpuSeconds, quantile } from '../measure.ts'
import { limitGoal, ratioGoal, type Case } from './case.ts'
import { singlesSide } from './publish.ts'

const STREAMS = 200
const CONSUMERS = 5
// 6 times as often as by default.
const INTERVAL_SECONDS = 5
const DEFAULT_INTERVAL_SECONDS = 30
const SCRAPES = 50
const AT_A_TIME = 20

export const lagCases: readonly Case[] = [
  {
    name: 'lag-sampling',
    workload: `publish-one, while ${STREAMS} streams with ${CONSUMERS} consumers are sampled every ` +
      `${INTERVAL_SECONDS} s`,
    baseline: 'the same without',
    async run (bench, amount) {
      const plain = await bench.gateway()
      const prefix = await consumersOf(bench, plain)
      const gateway = await bench.gateway({
        LAG_STREAMS: `${prefix}*`, LAG_INTERVAL_SECONDS: String(INTERVAL_SECONDS), LAG_MAX_SERIES: '10000'
      })
      await sampled(gateway)
      const comparison = await compare(await singlesSide(bench, gateway), await singlesSide(bench, plain), amount)
      const core = await coreOf(gateway) * INTERVAL_SECONDS / DEFAULT_INTERVAL_SECONDS
      const { series, p50Ms, cpuMs } = await scrapes(gateway)
      return {
        ...comparison,
        goals: [
          ratioGoal(0.9, comparison.ratio),
          limitGoal('p99', comparison.candidate.p99Ms, comparison.baseline.p99Ms * 1.5 + 1, 'ms'),
          limitGoal(`a core, sampled every ${DEFAULT_INTERVAL_SECONDS} s`, core * 100, 2, '%', 2),
          limitGoal(`p50 of /metrics with ${series} series`, p50Ms, 50, 'ms'),
          limitGoal('CPU time of it', cpuMs, 25, 'ms')
        ]
      }
    }
  }
]

/** Streams with a message and consumers that have read it. Returns how their names begin. */
async function consumersOf (bench: Bench, gateway: BenchGateway): Promise<string> {
  const prefix = `bench-${randomUUID()}-`
  const names = Array.from({ length: STREAMS }, (_, n) => `${prefix}${n}`).values()
  await Promise.all(Array.from({ length: AT_A_TIME }, async () => {
    for (const name of names) {
      await bench.stream(gateway, name)
      await bench.fill(gateway, name, 1, { path: 'messages/raw', contentType: 'text/plain', body: 'a', messages: 1 })
      for (let n = 0; n < CONSUMERS; n++) {
        const response = await fetch(`${gateway.url}/v1/streams/${name}/consumers/c${n}/offset`, {
          method: 'PUT', headers: { 'content-type': 'application/json' }, body: '{"offset":0}'
        })
        if (!response.ok) throw new Error(await response.text())
      }
    }
  }))
  return prefix
}

/** Settles when all consumers are in the metrics. */
async function sampled (gateway: BenchGateway): Promise<void> {
  for (let tries = 0; tries < 60; tries++) {
    const text = await (await fetch(`${gateway.url}/metrics`)).text()
    if (text.split('_consumer_lag_messages{').length > STREAMS * CONSUMERS) return
    await delay(500)
  }
  throw new Error('the consumers were not sampled in time')
}

/** The part of a core that an idle gateway takes for sampling. */
async function coreOf (gateway: BenchGateway): Promise<number> {
  const [beforeMs, before] = [performance.now(), cpuSeconds(gateway.pid)]
  await delay(3 * INTERVAL_SECONDS * 1000)
  return (cpuSeconds(gateway.pid) - before) / ((performance.now() - beforeMs) / 1000)
}

async function scrapes (gateway: BenchGateway): Promise<{ series: number, p50Ms: number, cpuMs: number }> {
  const latenciesMs: number[] = []
  let text = ''
  const before = cpuSeconds(gateway.pid)
  for (let n = 0; n < SCRAPES; n++) {
    const beganMs = performance.now()
    text = await (await fetch(`${gateway.url}/metrics`)).text()
    latenciesMs.push(performance.now() - beganMs)
  }
  const series = text.split('\n').filter((line) => !line.startsWith('#')).length
  const cpuMs = (cpuSeconds(gateway.pid) - before) * 1000 / SCRAPES
  return { series, p50Ms: quantile(latenciesMs, 0.5), cpuMs }
}
