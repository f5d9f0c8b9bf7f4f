import { createLocalJWKSet, type JSONWebKeySet } from 'jose'
import type { TokenKeys } from './token-keys.ts'

/** Keys that stay the same. A key without an id, as in a PEM file, is tried for every token. */
export function fixedKeys (keys: JSONWebKeySet['keys']): TokenKeys {
  const named = createLocalJWKSet({ keys: keys.filter(({ kid }) => kid !== undefined) })
  const unnamed = createLocalJWKSet({ keys: keys.filter(({ kid }) => kid === undefined) })
  const names = new Set(keys.map(({ kid }) => kid))
  return {
    find: async (header) => {
      const { kid, ...rest } = header
      return kid !== undefined && names.has(kid) ? await named(header) : await unnamed(rest)
    }
  }
}
