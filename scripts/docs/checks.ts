import { unknownCommands, unnamedCommands } from './commands.ts'
import { unknownCodes, unnamedCodes, wrongProblems, wrongStatuses } from './error-codes.ts'
import { brokenLinks, missingPaths, unlistedPages } from './links.ts'
import { unknownOperations, unnamedOperations } from './operation-ids.ts'
import type { Check, Page } from './page.ts'
import { unknownVariables, unnamedSettings } from './variables.ts'

/** What is held of all pages, beside their generated parts. */
export const CHECKS: readonly Check[] = [
  emptyPages,
  brokenLinks,
  missingPaths,
  unlistedPages,
  unknownCommands,
  unnamedCommands,
  unknownVariables,
  unnamedSettings,
  unknownCodes,
  wrongStatuses,
  wrongProblems,
  unnamedCodes,
  unknownOperations,
  unnamedOperations
]

function emptyPages (pages: readonly Page[]): string[] {
  return pages.filter(({ text }) => text.trim() === '').map(({ path }) => `${path} is empty`)
}
