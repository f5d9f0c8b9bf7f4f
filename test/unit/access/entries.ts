import { makeKey, hashOfKey } from '../../../src/access/keys/key.ts'
import type { KeyEntry } from '../../../src/access/keys/key-file.ts'

/** A new key and its entry, which allows to read everything unless `fields` say something else. */
export function newKey (fields: Partial<KeyEntry> = {}): { key: string, entry: KeyEntry } {
  const { id, key } = makeKey()
  return { key, entry: { id, name: 'billing', hash: `sha256:${hashOfKey(key)}`, scopes: ['read:*/*'], ...fields } }
}
