import {
  closeSync, fchmodSync, mkdirSync, openSync, readFileSync, realpathSync, renameSync, rmSync, statSync,
  writeFileSync
} from 'node:fs'
import { dirname } from 'node:path'
import { EntryFileError } from '../access/entries/entry-file.ts'
import { KEY_FILE, type KeyEntry } from '../access/keys/key-file.ts'

/** A file of keys that cannot be read, changed or written. The message names it. */
export class KeyFileError extends Error {
  override readonly name = 'KeyFileError'
}

// A gateway that runs as another user has to read it. It has only hashes, so reading it gives no key.
const NEW_FILE_MODE = 0o644

// How long another command may take to change the file.
const LOCK_TIMEOUT_MS = 5000
const LOCK_RETRY_MS = 20

/**
 * Adds a key to a file of keys, and makes the file when it does not exist. The file is replaced in one step, so a
 * gateway that reads it never finds half of a file. Commands that add to one file at once wait for each other.
 *
 * @param lockTimeoutMs how long to wait for another command
 * @throws KeyFileError when it is not a valid file of keys; then nothing was changed
 */
export function addKey (path: string, entry: KeyEntry, lockTimeoutMs = LOCK_TIMEOUT_MS): void {
  const place = targetOf(path)?.path ?? path
  // What becomes the file is its lock too: there is one at a time, and replacing the file gives the lock back.
  const whole = `${place}.lock`
  const descriptor = lock(whole, path, lockTimeoutMs)
  try {
    try {
      const target = targetOf(path)
      const entries = target === undefined ? [] : entriesOf(path)
      writeFileSync(descriptor, `${JSON.stringify({ keys: [...entries, entry] }, null, 2)}\n`)
      if (target !== undefined) fchmodSync(descriptor, target.mode)
    } finally {
      closeSync(descriptor)
    }
    renameSync(whole, place)
  } catch (error) {
    rmSync(whole, { force: true })
    throw error instanceof KeyFileError ? error : unwritable(path, error)
  }
}

/** @returns the descriptor of the new file */
function lock (whole: string, path: string, timeoutMs: number): number {
  const deadlineMs = performance.now() + timeoutMs
  for (;;) {
    try {
      mkdirSync(dirname(whole), { recursive: true })
      return openSync(whole, 'wx', NEW_FILE_MODE)
    } catch (error) {
      if (!isError(error, 'EEXIST')) throw unwritable(path, error)
      if (performance.now() < deadlineMs) sleep(LOCK_RETRY_MS)
      else throw new KeyFileError(`${path} is being changed by another command; if no command runs, delete ${whole}`)
    }
  }
}

// The command does nothing else meanwhile.
function sleep (ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

function unwritable (path: string, cause: unknown): KeyFileError {
  return new KeyFileError(`${path} cannot be written`, { cause })
}

function isError (error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

// A link stays a link.
function targetOf (path: string): { path: string, mode: number } | undefined {
  try {
    const real = realpathSync(path)
    return { path: real, mode: statSync(real).mode & 0o777 }
  } catch (error) {
    if (isError(error, 'ENOENT')) return undefined
    throw new KeyFileError(`${path} cannot be read`, { cause: error })
  }
}

function entriesOf (path: string): readonly KeyEntry[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new KeyFileError(`${path} cannot be read`, { cause: error })
  }
  try {
    return KEY_FILE.parse(text)
  } catch (error) {
    throw error instanceof EntryFileError ? new KeyFileError(`${path} ${error.message}`) : error
  }
}
