import { text } from 'node:stream/consumers'
import { ESLint } from 'eslint'

/*
 * Lints sources for the tests: JSON in, JSON out. A program of its own, since eslint.config.js does not load under tsx,
 * which finds no entry in one of neostandard's dependencies.
 */

/** @type {Map<string, ESLint>} */
const linters = new Map()

/** @type {import('./support.ts').Source[]} */
const sources = JSON.parse(await text(process.stdin))
const answers = []
for (const source of sources) {
  const results = await linterOf(source.rule).lintText(source.text, { filePath: source.file })
  answers.push(results.flatMap(({ messages }) => messages))
}
process.stdout.write(JSON.stringify(answers))

/** @param {string} rule */
function linterOf (rule) {
  const linter = linters.get(rule) ?? new ESLint({
    // Only the rules with types need the file to be part of a TypeScript project, and those are not asked.
    overrideConfig: { languageOptions: { parserOptions: { projectService: false } } },
    ruleFilter: ({ ruleId }) => ruleId === rule
  })
  linters.set(rule, linter)
  return linter
}
