import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { isJsonObject, parseJsonObject, type JsonObject } from '../access/json-object.ts'
import { knownScope } from '../access/tokens/token-scopes.ts'
import { BadValue } from './setting-reader.ts'

const PEM = /-----BEGIN ([A-Z0-9 ]+)-----[^-]+-----END \1-----/g
const KINDS = new Set(['rsa', 'ec', 'ed25519'])

/** The content of `JWT_PUBLIC_KEYS_PATH`: a key set in JSON, or PEM. @throws BadValue */
export function parsePublicKeys (text: string): JsonWebKey[] {
  const keys = text.trimStart().startsWith('{') ? keysOfSet(text) : keysOfPem(text)
  if (keys.length === 0) throw new BadValue('names a file without a public key')
  return keys
}

function keysOfSet (text: string): JsonWebKey[] {
  const { keys } = objectIn(text)
  if (!Array.isArray(keys)) throw new BadValue('names a JSON file without "keys"; it has to be a key set (RFC 7517)')
  return keys.map((key: unknown, index) => {
    const what = `names a file whose key ${index + 1}`
    if (!isJsonObject(key) || typeof key['kty'] !== 'string') throw new BadValue(`${what} is not a JSON Web Key`)
    if (key['kty'] === 'oct' || key['d'] !== undefined) throw new BadValue(`${what} is secret; it needs public keys`)
    return { ...key, ...webKeyOf(() => createPublicKey({ key, format: 'jwk' }), what) }
  })
}

function keysOfPem (text: string): JsonWebKey[] {
  return [...text.matchAll(PEM)].map(([pem, label = ''], index) => {
    const what = `names a file whose key ${index + 1}`
    if (label.includes('PRIVATE')) throw new BadValue(`${what} is secret; it needs public keys`)
    return webKeyOf(() => createPublicKey(pem), what)
  })
}

function webKeyOf (make: () => KeyObject, what: string): JsonWebKey {
  let key: KeyObject
  try {
    key = make()
  } catch {
    throw new BadValue(`${what} cannot be read`)
  }
  if (!KINDS.has(key.asymmetricKeyType ?? '')) throw new BadValue(`${what} is neither RSA nor EC nor Ed25519`)
  if ((key.asymmetricKeyDetails?.modulusLength ?? 2048) < 2048) throw new BadValue(`${what} has fewer than 2048 bits`)
  return key.export({ format: 'jwk' })
}

/**
 * The content of `JWT_SCOPE_ALIASES_PATH`: a JSON object with the scopes of each role, in an array or in a text that
 * separates them by spaces.
 *
 * @throws BadValue when a scope does not have the prefix, or means nothing
 */
export function parseScopeAliases (text: string, prefix: string): Record<string, readonly string[]> {
  return Object.fromEntries(Object.entries(objectIn(text)).map(([role, value]) => {
    const what = `names a file whose role ${JSON.stringify(role)}`
    return [role, listIn(value).map((scope) => {
      if (typeof scope !== 'string' || !scope.startsWith(prefix)) {
        throw new BadValue(`${what} has a scope that does not begin with JWT_SCOPE_PREFIX`)
      }
      // The same file may serve RabbitMQ: its tags are no mistakes.
      if (knownScope(scope, prefix) === undefined && !scope.startsWith(`${prefix}tag:`)) {
        throw new BadValue(`${what} has a scope that is not like ${prefix}read:*/orders*`)
      }
      return scope
    })]
  }))
}

function listIn (value: unknown): unknown[] {
  if (typeof value === 'string') return value.split(' ').filter((scope) => scope !== '')
  return Array.isArray(value) ? value : [value]
}

function objectIn (text: string): JsonObject {
  try {
    return parseJsonObject(Buffer.from(text))
  } catch {
    throw new BadValue('names a file that is not a JSON object, or has a member twice')
  }
}
