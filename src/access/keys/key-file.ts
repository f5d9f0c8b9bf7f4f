import { EntryFile } from '../entries/entry-file.ts'
import type { Entry } from '../entries/entry.ts'

/** An API key in the file of keys, which has its hash and not the key. */
export interface KeyEntry extends Entry {
  /** `sha256:` and the hash of the whole key in hexadecimal. */
  readonly hash: string
}

/** How the hash of a key begins in the file. */
export const HASH_PREFIX = 'sha256:'

/** Files of keys: `{ "keys": [...] }`. */
export const KEY_FILE = new EntryFile<KeyEntry>({
  list: 'keys',
  field: 'hash',
  schema: {
    type: 'string',
    pattern: `^${HASH_PREFIX}[0-9a-f]{64}$`,
    description: `${HASH_PREFIX} and 64 hexadecimal digits in small letters`
  }
})
