import { notValid } from '../access-error.ts'
import { parseScope } from '../scopes.ts'
import { isJsonObject, type JsonObject } from '../json-object.ts'

/** Where the scopes of a token are, and what they mean. */
export interface ScopeRules {
  /** The claim with the scopes. It may be inside others: `realm_access.roles`. */
  readonly claim: string
  /** How scopes for the gateway begin. Others do not count. */
  readonly prefix: string
  /** What further scopes a scope or a role stands for; these have the prefix too. */
  readonly aliases: Readonly<Record<string, readonly string[]>>
}

/** The most scopes that count in a token: each is tried for each request. */
export const MAX_SCOPES = 250

// Users of RabbitMQ with these tags see its figures.
const MONITORING = new Set(['tag:monitoring', 'tag:administrator'])

/**
 * The scopes of a token that mean something to the gateway, without their prefix, each once.
 *
 * @throws AccessError `unauthorized` when there are more than `MAX_SCOPES`
 */
export function scopesIn (claims: JsonObject, { claim, prefix, aliases }: ScopeRules): string[] {
  const scopes = new Set<string>()
  for (const text of textsOf(valueAt(claims, claim))) {
    for (const scope of Object.hasOwn(aliases, text) ? [text, ...aliases[text] ?? []] : [text]) {
      const known = knownScope(scope, prefix)
      if (known !== undefined) scopes.add(known)
    }
    if (scopes.size > MAX_SCOPES) throw notValid(`it has more than ${MAX_SCOPES} scopes`)
  }
  return [...scopes]
}

/** The scope without its prefix; undefined when it means nothing to the gateway. */
export function knownScope (text: string, prefix: string): string | undefined {
  if (!text.startsWith(prefix)) return undefined
  const scope = text.slice(prefix.length)
  if (MONITORING.has(scope)) return 'monitor'
  return parseScope(scope) === undefined ? undefined : scope
}

// A text has scopes separated by spaces; an array has one in each element, or one role, which may have spaces.
function textsOf (value: unknown): string[] {
  if (typeof value === 'string') return value.split(' ').filter((text) => text !== '')
  return Array.isArray(value) ? value.filter((element) => typeof element === 'string') : []
}

// A claim whose name has dots, such as a URL, goes first.
function valueAt (claims: JsonObject, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path]
  let value: unknown = claims
  for (const name of path.split('.')) {
    if (!isJsonObject(value) || !Object.hasOwn(value, name)) return undefined
    value = value[name]
  }
  return value
}
