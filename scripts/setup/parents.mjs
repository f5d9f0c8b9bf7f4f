import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { findOnPath } from './programs.mjs'

/*
 * Nothing that a command starts may outlive it, however it ends: a gateway left behind keeps the port, a broker left
 * behind keeps its data. A process that is killed cannot end its children, so each child watches its parent.
 */

const everyMs = 500

/**
 * Calls back once when the npm that runs this command has ended. A command that was not started by npm watches nothing:
 * it may have been put into the background on purpose.
 *
 * npm starts a shell, which becomes this process by the `exec` of package.json, so that npm passes SIGINT and SIGTERM
 * on to it. npm itself may be killed, or ended by a SIGHUP; then the parent changes. Where the shell stays between npm
 * and this process, the shell's parent changes.
 * @param {() => void} callback
 */
export function watchParents (callback) {
  if (!isRunByNpm()) return
  const parent = process.ppid
  const { name, parent: grandparent } = describe(parent)
  const isShell = /sh$/.test(name)
  // The timer keeps nothing running: the command ends when its work is done.
  const timer = setInterval(() => {
    if (process.ppid === parent && (!isShell || describe(parent).parent === grandparent)) return
    clearInterval(timer)
    callback()
  }, everyMs).unref()
}

function isRunByNpm () {
  // Every process that npm starts inherits these variables; only the command itself is the program that they name.
  const { npm_lifecycle_script: script = '' } = process.env
  return script.includes(basename(process.argv[1] ?? ' '))
}

/** @param {number} pid @returns {{ name: string, parent: number | undefined }} */
function describe (pid) {
  if (process.platform !== 'linux') {
    const { stdout } = spawnSync('ps', ['-o', 'ppid=,comm=', '-p', String(pid)], { encoding: 'utf8' })
    const [, parent, name = ''] = /^\s*(\d+)\s+(.*)/.exec(stdout ?? '') ?? []
    return { name: name.trim(), parent: parent === undefined ? undefined : Number(parent) }
  }
  try {
    // pid (name) state parent ...: the name may hold spaces and parentheses (proc(5)).
    const [, name = '', parent] = /^\d+ \((.*)\) \S+ (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
    return { name, parent: Number(parent) }
  } catch {
    return { name: '', parent: undefined }
  }
}

/**
 * Changes a command so that its process receives SIGTERM when its parent, this process, ends, however it ends. The
 * process keeps its pid. On Linux the kernel sends the signal; elsewhere a small shell looks every second.
 * @param {string[]} command
 */
export function tiedToParent (command) {
  canTie ??=
    findOnPath('setpriv') !== undefined &&
    spawnSync('setpriv', ['--help'], { encoding: 'utf8' }).stdout.includes('--pdeathsig')
  return canTie
    ? ['setpriv', '--pdeathsig', 'TERM', ...command]
    : ['/bin/sh', '-c', watchingScript, 'sh', String(process.pid), ...command]
}

/** @type {boolean | undefined} */
let canTie

// $$ is the pid of the command after the exec, also within the parentheses.
const watchingScript = `parent=$1
shift
(
  while [ "$(ps -o ppid= -p $$ | tr -d ' ')" = "$parent" ]; do sleep 1; done
  kill -TERM $$
) < /dev/null > /dev/null 2>&1 &
exec "$@"`
