import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { KeyEntry } from '../../src/access/keys/key-file.ts'
import { hashOfKey, makeKey } from '../../src/access/keys/key.ts'
import { startGateway, type Gateway } from './gateway.ts'
import { until } from './until.ts'

/** A key and its entry. */
export interface TestKey {
  readonly key: string
  readonly entry: KeyEntry
  /** The header with the key. */
  readonly headers: { readonly authorization: string }
}

/** A new key, which allows to read everything unless `fields` say something else. */
export function newKey (fields: Partial<KeyEntry> = {}): TestKey {
  const { id, key } = makeKey()
  return {
    key,
    entry: { id, name: 'billing', hash: `sha256:${hashOfKey(key)}`, scopes: ['read:*/*'], ...fields },
    headers: { authorization: `Bearer ${key}` }
  }
}

/** A key that allows everything. */
export function adminKey (): TestKey {
  return newKey({ name: 'admin', scopes: ['configure:*/*', 'write:*/*', 'read:*/*', 'reset:*/*', 'monitor'] })
}

/** The text of a file of keys. */
export function keyFile (...keys: readonly TestKey[]): string {
  return JSON.stringify({ keys: keys.map(({ entry }) => entry) })
}

/** A gateway that asks for keys, and the file that has them. */
export interface KeyedGateway {
  readonly gateway: Gateway
  readonly path: string
  /** Puts a text in place of the file at once, and waits until the gateway has looked at it. */
  readonly replaceFile: (text: string) => Promise<void>
}

/** Starts a gateway with keys, whose file it looks at every second. */
export async function startKeyedGateway (t: Test, ...keys: readonly TestKey[]): Promise<KeyedGateway> {
  const path = join(t.testdir({ 'keys.json': keyFile(...keys) }), 'keys.json')
  const gateway = await startGateway(t, { AUTH: 'api-keys', API_KEYS_PATH: path, AUTH_RELOAD_SECONDS: '1' })
  const looks = (): number =>
    gateway.log.filter(({ msg }) => String(msg).startsWith('a file was read again')).length
  return {
    gateway,
    path,
    async replaceFile (text) {
      const before = looks()
      await writeFile(`${path}.new`, text)
      await rename(`${path}.new`, path)
      await until('a look at the file', () => looks() > before)
    }
  }
}
