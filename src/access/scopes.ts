import type { Rights } from './caller.ts'
import { isVerb, type Verb } from './verb.ts'
import { Wildcard } from './wildcard.ts'

/** One verb on the streams whose virtual host and name match. */
interface Scope {
  readonly verb: Verb
  readonly virtualHost: Wildcard
  readonly stream: Wildcard
}

/**
 * Reads a scope in the grammar of RabbitMQ's OAuth 2 plugin, `<verb>:<virtual host>/<stream>`, such as
 * `read:%2F/orders*`. A third part, the routing key, is ignored: streams have none. `monitor` may stand alone.
 *
 * @returns undefined for another text, of a permission that the gateway does not know
 */
export function parseScope (text: string): Scope | undefined {
  const colon = text.indexOf(':')
  const verb = colon < 0 ? text : text.slice(0, colon)
  if (!isVerb(verb) || (colon < 0 && verb !== 'monitor')) return undefined
  const [virtualHost, stream, ...further] = colon < 0 ? ['*', '*'] : text.slice(colon + 1).split('/')
  if (virtualHost === undefined || stream === undefined || further.length > 1) return undefined
  if (virtualHost === '' || stream === '') return undefined
  try {
    return { verb, virtualHost: new Wildcard(virtualHost), stream: new Wildcard(stream) }
  } catch {
    return undefined
  }
}

/** What scopes and patterns of names allow. */
export interface Grant {
  /** Texts that `parseScope` does not read grant nothing. */
  readonly scopes: readonly string[]
  /** Patterns of the names of consumers and publishers. Left out: every name. */
  readonly consumers?: readonly string[] | undefined
  readonly publishers?: readonly string[] | undefined
}

/** The rights that a grant gives in a virtual host. */
export function rightsOf ({ scopes, consumers, publishers }: Grant, virtualHost: string): Rights {
  const patterns = new Map<Verb, Wildcard[]>()
  for (const text of scopes) {
    const scope = parseScope(text)
    if (scope === undefined || !scope.virtualHost.matches(virtualHost)) continue
    patterns.set(scope.verb, [...patterns.get(scope.verb) ?? [], scope.stream])
  }
  return {
    areBrokers: false,
    allows: (verb, stream) => patterns.get(verb)?.some((pattern) => pattern.matches(stream)) === true,
    allowsMonitor: () => patterns.has('monitor'),
    allowsConsumer: namesIn(consumers),
    allowsPublisher: namesIn(publishers),
    scopes,
    consumers,
    publishers
  }
}

function namesIn (texts: readonly string[] | undefined): (name: string) => boolean {
  if (texts === undefined) return () => true
  const patterns = texts.map((text) => new Wildcard(text))
  return (name) => patterns.some((pattern) => pattern.matches(name))
}
