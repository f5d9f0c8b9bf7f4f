import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { withLock } from './lock.mjs'
import { projectDirectory, stateDirectory } from './paths.mjs'
import { tiedToParent } from './parents.mjs'
import { run } from './process.mjs'
import { say, Stop } from './say.mjs'
import { interruption } from './signals.mjs'

const tapProgram = join(projectDirectory, 'node_modules', 'tap', 'dist', 'esm', 'run.mjs')

/**
 * Lets tap generate its test class without the plugins that .taprc turns off. `tap run` generates it too, but has
 * loaded the class with all plugins by then, so that the whole first run after an installation would be slow.
 */
export async function ensureTapPlugins () {
  if (isTapBuilt()) return
  await withLock(join(stateDirectory, 'setup.lock'), async () => {
    if (isTapBuilt()) return
    say('Preparing tap ...')
    const { code, tail } = await run([process.execPath, tapProgram, 'build'], {
      cwd: projectDirectory,
      isInterruptible: true
    })
    if (code !== 0) throw new Stop(`tap build failed:\n${tail}`)
  })
}

function isTapBuilt () {
  const testClass = join(projectDirectory, 'node_modules', '@tapjs', 'test', 'test-built', 'dist', 'esm', 'index.js')
  return !readFileSync(testClass, 'utf8').includes('"@tapjs/typescript"')
}

/**
 * Runs tap (its settings are in .taprc) and prints a line for each test file when it ends. When a file has failed, all
 * of its output comes before that line.
 * @param {string[]} files all test files when empty
 * @param {NodeJS.ProcessEnv} environment added to this process' own
 * @returns {Promise<{ passed: number, failed: number, code: number }>} assertions, counted by tap
 */
export async function runTap (files, environment) {
  const [program = '', ...args] = tiedToParent([process.execPath, tapProgram, 'run', '--reporter=tap', ...files])
  const child = spawn(program, args, {
    cwd: projectDirectory,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
    // In a process group of its own: Ctrl-C reaches this script alone, which passes it on once.
    detached: true
  })
  const interrupt = () => { child.kill('SIGTERM') }
  interruption.addEventListener('abort', interrupt, { once: true })

  /** @type {string[]} of the current file */
  let output = []
  const counted = { pass: 0, fail: 0 }
  let isCounted = false
  let isDetail = false
  for await (const line of createInterface(child.stdout)) {
    if (isDetail) {
      process.stdout.write(`${line}\n`)
      if (line === '  ...') isDetail = false
    } else if (line === '  ---') {
      // Why the file of the line before has failed as a whole: its exit code, its time-out.
      process.stdout.write(`${line}\n`)
      isDetail = true
    } else if (/^(not )?ok \d+/.test(line)) {
      if (line.startsWith('not ok')) process.stdout.write(`\n${output.join('\n')}\n`)
      process.stdout.write(`${line}\n`)
      output = []
    } else if (/^# \{.*\}$/.test(line)) {
      // # { total: 7, pass: 4, fail: 3 }: a count of zero is left out.
      isCounted = true
      for (const name of /** @type {const} */ (['pass', 'fail'])) {
        counted[name] = Number(line.match(`${name}: (\\d+)`)?.[1] ?? 0)
      }
    } else if (!/^(TAP version|1\.\.\d|# (No coverage|time=)|\s*$)/.test(line)) {
      output.push(line)
    }
  }
  const code = await new Promise(resolve => child.exitCode === null && child.signalCode === null
    ? child.once('exit', code => resolve(code ?? 1))
    : resolve(child.exitCode ?? 1))
  interruption.removeEventListener('abort', interrupt)
  // The output of tap outside of any file: why it did not start, or the details of the last failed file.
  if (output.length > 0) process.stdout.write(`${output.join('\n')}\n`)
  const failed = counted.fail > 0 || (isCounted && code === 0) ? counted.fail : 1
  return { passed: counted.pass, failed, code: failed > 0 && code === 0 ? 1 : code }
}
