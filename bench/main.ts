import { writeFileSync } from 'node:fs'
import { startBroker } from '../scripts/broker/index.mjs'
import { say, Stop } from '../scripts/setup/say.mjs'
import { interruption } from '../scripts/setup/signals.mjs'
import { Bench, type BenchBroker } from './bench.ts'
import { accessCases } from './cases/access.ts'
import type { Case, CaseResult } from './cases/case.ts'
import { compressionCases } from './cases/compression.ts'
import { filterCases } from './cases/filter.ts'
import { lagCases } from './cases/lag.ts'
import { latencyCases } from './cases/latency.ts'
import { liveCases } from './cases/live.ts'
import { liveReadingCases } from './cases/live-reading.ts'
import { mergedReadCases } from './cases/merged-read.ts'
import { publishCases } from './cases/publish.ts'
import { pushCases } from './cases/push.ts'
import { waitingPushCases } from './cases/push-waiting.ts'
import { readCases } from './cases/read.ts'
import { scrapeCases } from './cases/scrape.ts'
import { superStreamCases } from './cases/super-streams.ts'
import { tracingCases } from './cases/tracing.ts'
import { growth } from './growth.ts'
import { belowGuard } from './guard.ts'
import { readOptions, USAGE, type Options } from './options.ts'
import { describeMachine, table, toJson } from './report.ts'

const CASES: readonly Case[] = [
  ...publishCases, ...superStreamCases, ...compressionCases, ...readCases, ...mergedReadCases, ...filterCases,
  ...latencyCases, ...liveCases, ...liveReadingCases, ...scrapeCases, ...accessCases,
  ...tracingCases, ...lagCases, ...pushCases, ...waitingPushCases
]

const CASE_NAMES = CASES.map(({ name }) => name).join(', ')

/** @returns the exit code */
export async function main (): Promise<number> {
  const options = readOptions(process.argv.slice(2))
  if (options.help) {
    process.stdout.write(`${USAGE}\n\nThe cases: ${CASE_NAMES}\n`)
    return 0
  }
  const cases = chosen(options)
  const { broker, version, close } = await theBroker(options)
  try {
    process.stdout.write(`${describeMachine(version, options)}\n\n`)
    if (options.plots !== undefined) {
      process.stdout.write(`${await growth(broker, options.plots, options)}\n`)
      return 0
    }
    const results = await runAll(cases, broker, options)
    process.stdout.write(`${table(results)}\n`)
    if (options.json !== undefined) writeFileSync(options.json, toJson(results, version, options))
    if (!options.guard) return 0
    const lost = belowGuard(results)
    for (const line of lost) process.stdout.write(`${line}\n`)
    return lost.length === 0 ? 0 : 1
  } finally {
    await close()
  }
}

type Results = ReadonlyArray<readonly [Case, CaseResult]>

async function runAll (cases: readonly Case[], broker: BenchBroker, options: Options): Promise<Results> {
  const results: Array<readonly [Case, CaseResult]> = []
  for (const one of cases) {
    if (interruption.aborted) break
    const bench = new Bench(broker)
    try {
      const result = await one.run(bench, options)
      results.push([one, result])
      const goals = result.goals.map(({ text, measured, isMet }) => `${measured} (${text}${isMet ? '' : ', MISSED'})`)
      say(`${one.name}: ${goals.join(', ')}`)
    } finally {
      await bench.close()
    }
  }
  return results
}

function chosen ({ cases }: Options): readonly Case[] {
  const unknown = cases?.find((name) => CASES.every((one) => one.name !== name))
  if (unknown !== undefined) throw new Stop(`There is no case ${unknown}. The cases are ${CASE_NAMES}.`)
  return CASES.filter(({ name }) => cases?.includes(name) ?? true)
}

interface RunningBroker {
  readonly broker: BenchBroker
  readonly version: string
  close (): Promise<void>
}

async function theBroker ({ broker: series }: Options): Promise<RunningBroker> {
  const { TEST_STREAM_URL: streamUrl, TEST_MANAGEMENT_URL: managementUrl } = process.env
  if (streamUrl !== undefined && managementUrl !== undefined) {
    const broker = { streamUrl, managementUrl, pid: undefined }
    return { broker, version: 'of TEST_STREAM_URL', close: async () => {} }
  }
  say('Starting a private RabbitMQ ...')
  const { node, close } = await startBroker(series === undefined ? {} : { version: series })
  const broker = { streamUrl: node.streamUrl, managementUrl: node.managementUrl, pid: node.pid }
  return { broker, version: node.version, close }
}
