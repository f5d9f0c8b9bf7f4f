import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'

/** A text as it would stand in a file of the project, which does not have to exist, and the one rule that is asked. */
export interface Source {
  rule: string
  file: string
  text: string
}

export interface Case extends Source {
  title: string
  /** How the one report begins; undefined when the rule has nothing to say. */
  report?: string
}

/** What eslint.config.js says about each case is what the case says. */
export function checkCases (t: Test, cases: Case[]): void {
  const answers = lint(cases)
  for (const [index, { title, rule, report }] of cases.entries()) {
    t.test(`${rule} ${report === undefined ? 'allows' : 'refuses'} ${title}`, async (t) => {
      const found = answers[index] ?? []
      t.equal(found.length, report === undefined ? 0 : 1, found.join('\n'))
      t.equal(found[0]?.slice(0, report?.length), report)
    })
  }
}

/** What the rules of eslint.config.js report, for each source. */
export function lint (sources: Source[]): string[][] {
  const program = fileURLToPath(new URL('linter.mjs', import.meta.url))
  const { status, stdout, stderr } = spawnSync(process.execPath, [program], {
    input: JSON.stringify(sources),
    encoding: 'utf8'
  })
  if (status !== 0) throw new Error(stderr)
  const answers: { ruleId: string | null, line: number, message: string }[][] = JSON.parse(stdout)
  return answers.map((messages, index) => messages.map(({ ruleId, line, message }) => {
    // A source that does not parse, or a file that is ignored, would otherwise pass for a good one.
    if (ruleId !== sources[index]?.rule) throw new Error(`${sources[index]?.file}:${line}: ${message}`)
    return message
  }))
}
