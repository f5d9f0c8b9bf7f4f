import type { Bench } from '../bench.ts'
import type { Amount, Figures } from '../compare.ts'

/** What is promised, and what was measured. */
export interface Goal {
  readonly text: string
  readonly measured: string
  /** The build fails when the ratio is below this. */
  readonly guard?: number
  readonly isMet: boolean
}

export interface CaseResult {
  readonly candidate: Figures
  readonly baseline?: Figures
  /** Candidate to baseline. */
  readonly ratio?: number
  readonly goals: readonly Goal[]
}

/** One row of the table. */
export interface Case {
  readonly name: string
  readonly workload: string
  readonly baseline: string
  run (bench: Bench, amount: Amount): Promise<CaseResult>
}

// A machine that is busy with something else must not fail the build; a lost optimisation must.
const GUARD_PART = 0.5

/**
 * A goal for a ratio. The build fails below half of the goal; where the goal is known to be missed, below `guard`.
 */
export function ratioGoal (atLeast: number, ratio: number, guard = atLeast * GUARD_PART): Goal {
  return { text: `>= ${atLeast} x`, measured: `${ratio.toFixed(2)} x`, guard, isMet: ratio >= atLeast }
}

export function limitGoal (what: string, value: number, atMost: number, unit: string, digits = 1): Goal {
  return {
    text: `${what} <= ${atMost.toFixed(digits)} ${unit}`,
    measured: `${value.toFixed(digits)} ${unit}`,
    isMet: value <= atMost
  }
}

export function rateGoal (atLeast: number, rate: number): Goal {
  return {
    text: `>= ${atLeast.toLocaleString('en')}/s`,
    measured: `${Math.round(rate).toLocaleString('en')}/s`,
    isMet: rate >= atLeast
  }
}
