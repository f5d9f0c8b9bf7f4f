import type { Bench } from '../bench.ts'
import { compare } from '../compare.ts'
import type { BenchGateway } from '../gateway.ts'
import { ratioGoal, type Case, type Goal } from './case.ts'
import { jsonOf } from './publish.ts'
import { filled, readSide } from './read.ts'

const MIB = 1024 * 1024
const LINES = `messages/lines?limit=10000&maxBytes=${MIB}`
const SCAN_GOAL = 1_000_000
const CHUNKS = 1000
/** One chunk of this number has the value that is read. */
const RARITY = 100

/** Reads with filters. What is counted is how far they get: messages that are left out count too. */
export const filterCases: readonly Case[] = [
  {
    name: 'match-scan',
    workload: 'reads with match.subject that find nothing, 100 B JSON bodies with a subject',
    baseline: 'reads of all messages as lines',
    async run (bench, amount) {
      const gateway = await bench.gateway()
      const message = { body: jsonOf(100), properties: { subject: 'order.created' } }
      const { stream } = await filled(bench, 1_000_000, {
        path: 'messages',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ messages: Array.from({ length: 5000 }, () => message) }),
        messagesPerRequest: 5000,
        bodyBytes: 100
      })
      const candidate = await readSide(bench, gateway, [stream], `${LINES}&match.subject=order.cancelled`)
      const baseline = await readSide(bench, gateway, [stream], LINES)
      const comparison = await compare(candidate, baseline, amount)
      const { rate, cores } = comparison.candidate
      return { ...comparison, goals: [scanGoal(rate / (cores.gateway ?? 1))] }
    }
  },
  {
    name: 'filter-value',
    workload: 'reads with a filter value that one chunk in a hundred has, 1,000 lines of 100 B a chunk',
    baseline: 'reads of all messages as lines',
    async run (bench, amount) {
      const gateway = await bench.gateway()
      const stream = await rareStream(bench, gateway)
      const candidate = await readSide(bench, gateway, [stream], `${LINES}&filterValue=rare`)
      const baseline = await readSide(bench, gateway, [stream], LINES)
      const comparison = await compare(candidate, baseline, amount)
      return { ...comparison, goals: [ratioGoal(10, comparison.ratio)] }
    }
  }
]

function scanGoal (perCore: number): Goal {
  return {
    text: `messages for each second of a core >= ${SCAN_GOAL.toLocaleString('en')}`,
    measured: Math.round(perCore).toLocaleString('en'),
    isMet: perCore >= SCAN_GOAL
  }
}

async function rareStream (bench: Bench, gateway: BenchGateway): Promise<string> {
  const stream = await bench.stream(gateway)
  const body = `${'x'.repeat(100)}\n`.repeat(1000)
  for (let chunk = 0; chunk < CHUNKS; chunk++) {
    const value = chunk % RARITY === RARITY - 1 ? 'rare' : `common${chunk % 10}`
    const url = `${gateway.url}/v1/streams/${stream}/messages/lines?filterValue=${value}`
    const response = await fetch(url, { method: 'POST', body })
    if (!response.ok) throw new Error(await response.text())
    await response.arrayBuffer()
  }
  return stream
}
