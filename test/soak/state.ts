import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { stateDirectory } from '../../scripts/setup/paths.mjs'
import type { StreamReport } from '../support/workload/index.ts'

const FIGURES = [
  'sent', 'confirmed', 'unknown', 'failed', 'stored', 'lost', 'repeated', 'missed', 'redelivered'
] as const
/** Sums over all rounds. */
export type Totals = Record<typeof FIGURES[number], number>

/** What is kept from one round to the next, and from one soak to the next of the same seed. */
export interface SoakState {
  seed: number
  rounds: number
  /** Rounds by scenario. */
  made: Record<string, number>
  unnamed: Totals
  named: Totals
  peakBytes: number
  broken: string[]
}

export function newState (seed: number): SoakState {
  return { seed, rounds: 0, made: {}, unnamed: noTotals(), named: noTotals(), peakBytes: 0, broken: [] }
}

/** The state of an earlier soak with this seed. @throws Error when there is none */
export function loadState (seed: number): SoakState {
  const file = fileOf(seed)
  if (!existsSync(file)) throw new Error(`there is no soak of seed ${seed} to continue: ${file} is missing`)
  return JSON.parse(readFileSync(file, 'utf8'))
}

/** Whole or not at all: a soak may be killed at any time. */
export function saveState (state: SoakState): void {
  const file = fileOf(state.seed)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(`${file}.new`, `${JSON.stringify(state, null, 2)}\n`)
  renameSync(`${file}.new`, file)
}

export function addTo (totals: Totals, report: StreamReport): void {
  for (const figure of FIGURES) {
    const value = report[figure]
    totals[figure] += typeof value === 'number' ? value : value.length
  }
}

function fileOf (seed: number): string {
  return join(stateDirectory, 'soak', `${seed}.json`)
}

function noTotals (): Totals {
  return { sent: 0, confirmed: 0, unknown: 0, failed: 0, stored: 0, lost: 0, repeated: 0, missed: 0, redelivered: 0 }
}
