import type { Case, CaseResult } from './cases/case.ts'

/** A line for each case whose ratio is so low that the build fails. */
export function belowGuard (
  results: ReadonlyArray<readonly [Pick<Case, 'name'>, Pick<CaseResult, 'ratio' | 'goals'>]>
): string[] {
  return results.flatMap(([{ name }, { ratio, goals }]) =>
    goals.flatMap(({ guard, text }) => {
      // A ratio that could not be measured is NaN, and so not above the guard.
      if (ratio === undefined || guard === undefined || ratio >= guard) return []
      return [`${name}: ${ratio.toFixed(2)} x is below ${guard} x; the goal is ${text}`]
    })
  )
}
