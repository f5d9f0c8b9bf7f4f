import { randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { EntryFileError } from '../access/entries/entry-file.ts'
import { KEY_FILE, type KeyEntry } from '../access/keys/key-file.ts'

/** A file of keys that cannot be read, changed or written. The message names it. */
export class KeyFileError extends Error {
  override readonly name = 'KeyFileError'
}

// A gateway that runs as another user has to read it. It has only hashes, so reading it gives no key.
const NEW_FILE_MODE = 0o644

/**
 * Adds a key to a file of keys, and makes the file when it does not exist. The file is replaced in one step, so a
 * gateway that reads it never finds half of a file.
 *
 * @throws KeyFileError when it is not a valid file of keys; then nothing was changed
 */
export function addKey (path: string, entry: KeyEntry): void {
  const target = targetOf(path)
  const entries = target === undefined ? [] : entriesOf(path)
  const text = `${JSON.stringify({ keys: [...entries, entry] }, null, 2)}\n`
  const place = target?.path ?? path
  const whole = `${place}.${randomUUID()}`
  try {
    mkdirSync(dirname(place), { recursive: true })
    writeFileSync(whole, text, { mode: target?.mode ?? NEW_FILE_MODE, flag: 'wx' })
    renameSync(whole, place)
  } catch (error) {
    rmSync(whole, { force: true })
    throw new KeyFileError(`${path} cannot be written`, { cause: error })
  }
}

// A link stays a link.
function targetOf (path: string): { path: string, mode: number } | undefined {
  try {
    const real = realpathSync(path)
    return { path: real, mode: statSync(real).mode & 0o777 }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
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
