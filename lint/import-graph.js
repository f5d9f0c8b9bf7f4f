import { readFileSync, statSync } from 'node:fs'
import ts from 'typescript'
import { isRelative } from './imports.js'
import { targetOf } from './places.js'

/** @type {Map<string, { mtimeMs: number, targets: string[] }>} */
const known = new Map()

/**
 * The files that a file imports by relative paths, as they are on disk. Read once for each version of the file: an
 * editor keeps the linter running while files change.
 * @param {string} file absolute
 * @returns {readonly string[]} absolute; none for what is not a readable source
 */
function importsOf (file) {
  const mtimeMs = /\.[cm]?[jt]sx?$/.test(file) ? statSync(file, { throwIfNoEntry: false })?.mtimeMs : undefined
  if (mtimeMs === undefined) return []
  const before = known.get(file)
  if (before?.mtimeMs === mtimeMs) return before.targets
  const { importedFiles } = ts.preProcessFile(readFileSync(file, 'utf8'), true, true)
  const targets = importedFiles.filter(({ fileName }) => isRelative(fileName)).map(({ fileName }) =>
    targetOf(file, fileName))
  known.set(file, { mtimeMs, targets })
  return targets
}

/**
 * The shortest way from one file to another along imports.
 * @param {string} from absolute
 * @param {string} to absolute
 * @returns {string[] | undefined} both ends included
 */
export function wayBetween (from, to) {
  /** @type {Map<string, string | undefined>} each file that was reached, and from where */
  const reached = new Map([[from, undefined]])
  // A Map is iterated in the order of insertion, what is added on the way included: a breadth-first search.
  for (const file of reached.keys()) {
    if (file === to) return wayTo(file, reached)
    for (const next of importsOf(file)) if (!reached.has(next)) reached.set(next, file)
  }
  return undefined
}

/**
 * @param {string} end
 * @param {Map<string, string | undefined>} reached
 */
function wayTo (end, reached) {
  const way = [end]
  for (let file = reached.get(end); file !== undefined; file = reached.get(file)) way.unshift(file)
  return way
}
