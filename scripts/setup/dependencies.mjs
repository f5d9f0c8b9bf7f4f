import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { withLock } from './lock.mjs'
import { projectDirectory, stateDirectory } from './paths.mjs'
import { run } from './process.mjs'
import { progress, say, Stop } from './say.mjs'

const oldestNode = [20, 19]

/** Refuses a Node.js that is too old, before anything else fails for that reason. */
export function checkNode () {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const [oldestMajor = 0, oldestMinor = 0] = oldestNode
  if (major < oldestMajor || (major === oldestMajor && minor < oldestMinor)) {
    throw new Stop(`Node.js ${oldestNode.join('.')} or newer is needed; this is ${process.versions.node}.`)
  }
}

/** Installs the dependencies when they are missing or differ from package-lock.json. */
export async function ensureDependencies () {
  if (areInstalled()) return
  await withLock(join(stateDirectory, 'setup.lock'), async () => {
    if (areInstalled()) return
    say('Installing the dependencies (npm ci) ...')
    // The build needs the development dependencies, whatever NODE_ENV says.
    await npm(['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=http'])
  })
}

/** Builds dist/ when it is missing or older than its sources. */
export async function ensureBuild () {
  if (isBuilt()) return
  await withLock(join(stateDirectory, 'setup.lock'), async () => {
    if (isBuilt()) return
    say('Building dist/ ...')
    await npm(['run', '--silent', 'build'])
  })
}

/**
 * Whether the installed packages are those of package-lock.json. npm lists what it has installed in
 * node_modules/.package-lock.json; optional packages for other platforms are not in that list.
 */
function areInstalled () {
  const wanted = readPackages(join(projectDirectory, 'package-lock.json'))
  const installed = readPackages(join(projectDirectory, 'node_modules', '.package-lock.json'))
  if (installed === undefined || wanted === undefined) return false
  return Object.entries(wanted).every(([path, { version, integrity, optional, devOptional }]) => {
    const found = installed[path]
    if (path === '') return true
    if (found === undefined) return optional || devOptional
    return found.version === version && found.integrity === integrity
  })
}

/** @typedef {{ version?: string, integrity?: string, optional?: boolean, devOptional?: boolean }} Package */

/** @param {string} path @returns {Record<string, Package> | undefined} by where each is installed */
function readPackages (path) {
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).packages : undefined
}

function isBuilt () {
  const result = join(projectDirectory, 'dist', 'server.js')
  const sources = ['src', 'tsconfig.json', 'tsconfig.build.json']
  return (
    existsSync(result) &&
    Math.max(...sources.map(source => lastChange(join(projectDirectory, source)))) <= statSync(result).mtimeMs
  )
}

/**
 * The time of the latest change at or below a path. A directory's own time counts too: deleting a file changes it.
 * @param {string} path
 * @returns {number}
 */
function lastChange (path) {
  const stat = statSync(path)
  return Math.max(
    stat.mtimeMs,
    ...stat.isDirectory() ? readdirSync(path).map(name => lastChange(join(path, name))) : []
  )
}

/** @param {string[]} args */
async function npm (args) {
  const { code, tail } = await run(['npm', ...args], { cwd: projectDirectory, onLine: progress, isInterruptible: true })
  if (code !== 0) throw new Stop(`npm ${args.join(' ')} failed:\n${tail}`)
}
