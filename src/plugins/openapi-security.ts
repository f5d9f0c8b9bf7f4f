import { OPERATIONS, type Requirement } from '../access/operations.ts'
import type { ProblemCode } from '../api/problems.ts'
import type { Config } from '../config.ts'
import { isJsonObject, objectsIn, type JsonObject } from '../text/json-node.ts'

type Way = NonNullable<Config['access']['ways']>[number]

/** How callers show who they are. The names are those that Swagger UI shows. */
export const SECURITY_SCHEMES = {
  bearer: {
    type: 'http',
    scheme: 'bearer',
    description: 'An API key, a token of an identity provider, or an OAuth 2 token that RabbitMQ accepts.'
  },
  basic: {
    type: 'http',
    scheme: 'basic',
    description: 'A user of RabbitMQ with its password. An API key can be the password too.'
  },
  certificate: { type: 'mutualTLS', description: 'A client certificate.' }
} as const

type SchemeName = keyof typeof SECURITY_SCHEMES

const NAMES_BY_WAY: Readonly<Record<Way, readonly SchemeName[]>> = {
  'api-keys': ['bearer', 'basic'],
  jwt: ['bearer'],
  rabbitmq: ['bearer', 'basic'],
  mtls: ['certificate']
}

/** The problems of callers, for an operation with this requirement. */
export function accessProblems (requirement: Requirement | undefined): readonly ProblemCode[] {
  if (requirement === undefined || requirement.type === 'open') return []
  // Also where any caller may: a client certificate can be valid and its name unknown.
  return [
    'unauthorized', 'access_refused', 'too_many_requests', 'identity_provider_unavailable', 'broker_unavailable',
    'overloaded'
  ]
}

/** Adds to an operation what its caller needs, from the table of operations. */
export function addSecurity (operation: JsonObject): void {
  const requirement = OPERATIONS[String(operation.operationId)]
  if (requirement === undefined || requirement.type === 'open') {
    operation.security = []
    return
  }
  operation.security = Object.keys(SECURITY_SCHEMES).map((name) => ({ [name]: [] }))
  const needed = neededFor(requirement)
  if (needed !== undefined) operation.description = `${String(operation.description)} With authentication: ${needed}.`
}

function neededFor (requirement: Requirement): string | undefined {
  if (requirement.type === 'monitor') return 'the caller needs `monitor`'
  if (requirement.type !== 'stream') return undefined
  if ('any' in requirement) return `the caller needs ${quoted(requirement.any).join(' or ')} on the stream`
  const { all, names } = requirement
  const named = names === undefined ? '' : `, and the right to the ${names}`
  return `the caller needs ${quoted(all).join(' and ')} on the stream${named}`
}

function quoted (verbs: readonly string[]): string[] {
  return verbs.map((verb) => `\`${verb}\``)
}

/** The document of a gateway on which these ways are open: it offers no other. */
export function withSchemes (document: JsonObject, ways: readonly Way[]): JsonObject {
  const names = new Set<string>(ways.flatMap((way) => NAMES_BY_WAY[way]))
  const components = isJsonObject(document.components) ? { ...document.components } : {}
  delete components.securitySchemes
  const offered = Object.entries(SECURITY_SCHEMES).filter(([name]) => names.has(name))
  if (offered.length > 0) components.securitySchemes = Object.fromEntries(offered)
  const isOffered = (scheme: JsonObject): boolean => Object.keys(scheme).some((name) => names.has(name))
  const withOffered = (operation: JsonObject): JsonObject => 'security' in operation
    ? { ...operation, security: objectsIn(operation.security).filter(isOffered) }
    : operation
  return { ...document, components, paths: mapped(document.paths, (item) => mapped(item, withOffered)) }
}

function mapped (value: unknown, change: (item: JsonObject) => unknown): unknown {
  if (!isJsonObject(value)) return value
  const changed = (item: unknown): unknown => isJsonObject(item) ? change(item) : item
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, changed(item)]))
}
