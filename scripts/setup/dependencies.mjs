import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { withLock } from './lock.mjs'
import { projectDirectory, stateDirectory } from './paths.mjs'
import { run } from './process.mjs'
import { progress, say, Stop } from './say.mjs'

/** Installs the dependencies when they are missing or differ from package-lock.json. */
export async function ensureDependencies () {
  if (areInstalled()) return
  await withLock(join(stateDirectory, 'setup.lock'), async () => {
    if (areInstalled()) return
    say('Installing the dependencies (npm ci) ...')
    // The build needs the development dependencies, whatever NODE_ENV says.
    const install = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=http']
    const failure = await registryFailure()
    if (failure === undefined) return await npm([...install, ...impatient])
    // Everything may be in npm's cache.
    const { code } = await runNpm([...install, '--offline'])
    if (code !== 0) {
      throw new Stop(
        `The dependencies cannot be installed: the npm registry cannot be reached (${failure}). Check the network, ` +
        'or name another one: npm config set registry URL'
      )
    }
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

// npm's own settings let it try for minutes.
const impatient = ['--fetch-retries=2', '--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=5000']

/**
 * Asks the registry by npm itself, which knows about proxies and mirrors.
 * @returns {Promise<string | undefined>} why it cannot be reached; undefined when it answered, whatever it said
 */
async function registryFailure () {
  const { code, tail } = await run(['npm', 'ping', '--fetch-retries=0', '--fetch-timeout=8000'], {
    cwd: projectDirectory,
    timeoutMs: 10_000,
    isInterruptible: true
  })
  if (code === 0) return undefined
  const [, reason = 'no answer'] = /^npm (?:error|ERR!) code (\S+)/m.exec(tail) ?? []
  return /^E\d+$/.test(reason) ? undefined : reason
}

/** @param {string[]} args */
async function npm (args) {
  const { code, tail } = await runNpm(args)
  if (code !== 0) throw new Stop(`npm ${args.join(' ')} failed:\n${tail}`)
}

/** @param {string[]} args */
function runNpm (args) {
  return run(['npm', ...args], { cwd: projectDirectory, onLine: progress, isInterruptible: true })
}
