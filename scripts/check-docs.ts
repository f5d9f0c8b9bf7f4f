import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CHECKS } from './docs/checks.ts'
import { generatedParts } from './docs/generated.ts'
import { readPages } from './docs/page.ts'
import { partFaults, withParts } from './docs/parts.ts'
import { projectDirectory } from './setup/paths.mjs'

/*
 * npm run docs:check [-- --write]: holds the documentation against the code. With --write it first writes the parts of
 * the pages that are generated from the code.
 */

const found = readPages()
const parts = generatedParts()
const pages = process.argv.includes('--write') ? withParts(found, parts) : found
for (const [index, { path, text }] of pages.entries()) {
  if (text !== found[index]?.text) writeFileSync(join(projectDirectory, path), text)
}

const faults = [...partFaults(pages, parts), ...CHECKS.flatMap((check) => check(pages))]
for (const fault of faults) console.error(fault)
console.log(`${pages.length} pages, ${parts.length} generated parts, ${CHECKS.length} checks: ${faults.length} faults`)
if (faults.length > 0) process.exitCode = 1
