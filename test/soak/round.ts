import { setTimeout as delay } from 'node:timers/promises'
import { untilNothingIsLeft } from '../support/leftovers.ts'
import { brokenPromises, Workload, type Report } from '../support/workload/index.ts'
import { seededRandom } from './random.ts'
import type { Scenario } from './scenarios/index.ts'
import { BUDGET_BYTES, type World } from './world.ts'

export interface RoundResult {
  report: Report
  broken: string[]
  seconds: number
}

// RabbitMQ 4.0 that is killed within a second of creating a stream does not find the stream again.
const SETTLE_MS = 2500
// The memory of a container in proportion to what is budgeted, as docs/operations.md says.
const MAX_MEMORY_RATIO = 1.25

/** New streams, load on them, a fault, load after it, and the audit. */
export async function runRound (world: World, scenario: Scenario, seeds: readonly number[]): Promise<RoundResult> {
  const startedMs = performance.now()
  const random = seededRandom(...seeds)
  const [target, readTarget] = world.targets
  if (target === undefined || readTarget === undefined) throw new Error('there are two gateways')
  const workload = await Workload.start({ target, readTarget, random })
  try {
    await Promise.all([workload.untilConfirmed(200), delay(SETTLE_MS)])
    await scenario.run({ world, workload, random })
    await world.untilReady()
    await workload.untilConfirmed(500)
    const report = await workload.finish()
    world.look()
    const broken = [...brokenPromises(report), ...world.alarms.splice(0), ...await leftovers(world)]
    return { report, broken, seconds: (performance.now() - startedMs) / 1000 }
  } finally {
    workload.abandon()
  }
}

/** What the load has left behind; it should be nothing. */
async function leftovers (world: World): Promise<string[]> {
  const found: string[] = []
  for (const [index, gateway] of world.gateways.entries()) {
    try {
      await untilNothingIsLeft(gateway)
    } catch (error) {
      found.push(`gateway ${index}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  const ratio = world.peakBytes / (world.idleBytes + BUDGET_BYTES)
  if (ratio > MAX_MEMORY_RATIO) found.push(`the peak of memory was ${ratio.toFixed(2)} times what is budgeted`)
  return found
}
