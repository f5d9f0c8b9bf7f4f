import { notValid } from '../access-error.ts'
import { parseJsonObject, type JsonObject } from '../json-object.ts'

const PARTS = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+$/
// A provider names its keys with a hash or a UUID.
const MAX_KEY_ID_LENGTH = 256

/**
 * Looks at a token before any key is asked for: three parts, a header without critical members, an algorithm that is
 * allowed, no member twice in the header or in the claims. Nothing in it is believed yet.
 *
 * @throws AccessError `unauthorized`
 */
export function checkShape (token: string, algorithms: readonly string[]): void {
  const [, header, claims] = PARTS.exec(token) ?? []
  if (header === undefined || claims === undefined) throw notValid('it does not have the three parts of a signed token')
  checkHeader(parsed(header, 'header'), algorithms)
  parsed(claims, 'claims')
}

function checkHeader ({ alg, kid, crit }: JsonObject, algorithms: readonly string[]): void {
  if (typeof alg !== 'string' || !algorithms.includes(alg)) throw notValid('its algorithm is not in JWT_ALGORITHMS')
  if (crit !== undefined) throw notValid('its header has critical members')
  if (kid === undefined) return
  if (typeof kid !== 'string' || kid.length > MAX_KEY_ID_LENGTH) throw notValid('its key id is not a short text')
}

function parsed (part: string, name: string): JsonObject {
  try {
    return parseJsonObject(Buffer.from(part, 'base64url'))
  } catch (error) {
    const what = error instanceof Error ? error.message : 'is not JSON'
    throw notValid(`its ${name}: ${what}`)
  }
}
