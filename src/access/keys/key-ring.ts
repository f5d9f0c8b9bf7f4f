import type { Caller } from '../caller.ts'
import { CallerRing, type NotFound } from '../entries/caller-ring.ts'
import { hashOfKey, idOfKey, KEY_LENGTH } from './key.ts'
import { HASH_PREFIX, type KeyEntry } from './key-file.ts'

/**
 * The API keys that are known. A key is found by its hash: how long that takes says nothing about the hashes that are
 * there, since nobody can make keys whose hashes begin alike.
 */
export class KeyRing {
  readonly #callers: CallerRing<KeyEntry>

  /** @param virtualHost of the streams; scopes of others grant nothing */
  constructor (virtualHost: string) {
    const matchOf = ({ hash }: KeyEntry): string => hash.slice(HASH_PREFIX.length)
    this.#callers = new CallerRing({ scheme: 'api-key', virtualHost, matchOf })
  }

  /** The caller with this key, or the reason why the key is refused. */
  find (key: string): Caller | NotFound | 'malformed' {
    // Longer texts would take longer to hash.
    if (key.length !== KEY_LENGTH) return 'malformed'
    const found = this.#callers.find(hashOfKey(key))
    return found === 'unknown' && idOfKey(key) === undefined ? 'malformed' : found
  }

  /**
   * Takes these keys in place of all others. The caller of an unchanged entry stays the same object; those of all other
   * entries end.
   */
  replaceBy (entries: readonly KeyEntry[]): void {
    this.#callers.replaceBy(entries)
  }

  /** Ends the timer for keys that expire. */
  close (): void {
    this.#callers.close()
  }
}
