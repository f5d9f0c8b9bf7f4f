import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isAlive, startedAt, waitFor } from './process.mjs'
import { say, Stop } from './say.mjs'
import { interruption } from './signals.mjs'

/**
 * Does work that only one process at a time may do; the others wait. The lock is a directory, since mkdir is atomic
 * everywhere. It names its holder, so that a lock left behind by a dead process is recognised and taken over.
 * @template T
 * @param {string} path
 * @param {() => Promise<T>} work
 * @param {{ timeoutMs?: number }} [options] how long to wait for another holder
 */
export async function withLock (path, work, { timeoutMs = 15 * 60_000 } = {}) {
  let isAnnounced = false
  const isMine = await waitFor(() => {
    if (interruption.aborted) throw new Stop('Interrupted.')
    const holder = tryLock(path)
    if (holder === undefined) return true
    if (!isAnnounced) say(`Waiting for process ${holder}, which holds ${path}`)
    isAnnounced = true
    return false
  }, { timeoutMs, everyMs: 500 })
  if (!isMine) {
    throw new Stop(
      `Another process has held ${path} for ${timeoutMs / 1000} seconds. Delete it if no process uses it.`
    )
  }
  try {
    return await work()
  } finally {
    unlock(path)
  }
}

/**
 * Takes the lock, or returns its holder at once.
 * @param {string} path
 * @returns {number | undefined} the pid of the holder; undefined when this process has the lock now
 */
export function tryLock (path) {
  mkdirSync(dirname(path), { recursive: true })
  for (;;) {
    try {
      mkdirSync(path)
      writeFileSync(join(path, 'holder'), `${process.pid} ${startedAt(process.pid) ?? ''}`)
      return undefined
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    }
    const holder = holderOf(path)
    if (holder !== undefined) return holder
    // A rename is atomic too: of two processes that find the same dead holder, one moves the old lock away and the
    // other tries again.
    const stale = `${path}.${randomBytes(4).toString('hex')}`
    try {
      renameSync(path, stale)
      rmSync(stale, { recursive: true, force: true })
    } catch {}
  }
}

/** @param {string} path */
export function unlock (path) {
  rmSync(path, { recursive: true, force: true })
}

/** @param {string} path */
function holderOf (path) {
  try {
    const [pid, start] = readFileSync(join(path, 'holder'), 'utf8').split(' ')
    return isAlive(Number(pid)) && (!start || start === startedAt(Number(pid))) ? Number(pid) : undefined
  } catch {
    // Between mkdir and write a lock does not name its holder yet. It counts as left behind only after five seconds.
    try {
      return Date.now() - statSync(path).mtimeMs < 5000 ? 0 : undefined
    } catch {
      return undefined
    }
  }
}
