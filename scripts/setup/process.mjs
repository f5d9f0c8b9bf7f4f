import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { tiedToParent } from './parents.mjs'
import { searchPath } from './programs.mjs'
import { Stop } from './say.mjs'
import { interruption } from './signals.mjs'

/**
 * Runs a program until it ends. Each line of its output goes to `onLine`; `tail` has the last 20, for an error message.
 * The program ends with this process. An interruptible one also ends when this process is interrupted.
 * @param {string[]} command the program and its arguments
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, onLine?: (line: string) => void, timeoutMs?: number,
 *   isInterruptible?: boolean }} [options]
 * @returns {Promise<{ code: number, stdout: string, tail: string }>}
 */
export async function run (command, { cwd, env, onLine, timeoutMs = 0, isInterruptible = false } = {}) {
  if (isInterruptible && interruption.aborted) throw new Stop('Interrupted.')
  const [program = '', ...args] = tiedToParent(command)
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, PATH: searchPath(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL'
  })
  /** @type {string[]} */
  const tail = []
  let stdout = ''
  child.stdout.on('data', chunk => { stdout += chunk })
  for (const output of [child.stdout, child.stderr]) {
    createInterface(output).on('line', line => {
      tail.push(line)
      if (tail.length > 20) tail.shift()
      onLine?.(line)
    })
  }
  const interrupt = () => { child.kill('SIGTERM') }
  if (isInterruptible) interruption.addEventListener('abort', interrupt, { once: true })
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', code => resolve(code ?? 1))
  })
  interruption.removeEventListener('abort', interrupt)
  if (isInterruptible && interruption.aborted) throw new Stop('Interrupted.')
  return { code, stdout, tail: tail.join('\n') }
}

/** @param {number} pid */
export function isAlive (pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

/**
 * When the process started, in the units of the kernel. Pids are used again; a pid together with its start names one
 * process only. Undefined where there is no /proc.
 * @param {number} pid
 */
export function startedAt (pid) {
  try {
    // The second field, the program's name in parentheses, may hold spaces, so fields are counted after it. Field 22 is
    // starttime (proc(5)).
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[19]
  } catch {
    return undefined
  }
}

/**
 * Calls `check` until it returns something other than undefined or false.
 * @template T
 * @param {() => Promise<T | undefined | false> | T | undefined | false} check
 * @param {{ timeoutMs: number, everyMs?: number }} options
 * @returns {Promise<T | undefined>} undefined when the time is over
 */
export async function waitFor (check, { timeoutMs, everyMs = 200 }) {
  for (const end = Date.now() + timeoutMs; ;) {
    const found = await check()
    if (found) return found
    if (Date.now() >= end) return undefined
    await new Promise(resolve => setTimeout(resolve, everyMs))
  }
}
