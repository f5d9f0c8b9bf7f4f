import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Scheme } from '../access/caller.ts'
import { whenClosed } from '../http/request-scope.ts'
import { traceIdOf } from '../http/trace-headers.ts'
import { RequestError } from '../api/problems.ts'

// Characters that are safe in a log and in a header.
const SANE_REQUEST_ID = /^[A-Za-z0-9._~:/+=@-]{1,128}$/

/** The caller's `x-request-id` when it is sane, else a new one. */
export function requestId (request: Pick<IncomingMessage, 'headers'>): string {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && SANE_REQUEST_ID.test(given) ? given : randomUUID()
}

/**
 * Headers that every answer has, unless it sets its own. A stored message may claim to be a web page or a script: no
 * browser may run it, and no page of another origin may load it.
 */
export const COMMON_HEADERS = {
  'cache-control': 'no-store',
  'cross-origin-resource-policy': 'same-origin',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
  'x-content-type-options': 'nosniff'
} as const

/**
 * Request ids, common headers and one log line a request, with the caller where callers are known: no bodies, no query
 * strings, no credentials.
 */
function requests (app: FastifyInstance): void {
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(COMMON_HEADERS)
    reply.header('x-request-id', request.id)
    const startMs = performance.now()
    // Asked for now: a socket that is closed no longer knows.
    const client = app.clientAddress(request)
    whenClosed(reply, (isDelivered) => {
      app.log.info({
        reqId: request.id,
        operationId: operationIdOf(request),
        method: request.method,
        path: pathOf(request),
        ...namesOf(request),
        status: isDelivered ? reply.statusCode : 'client gone',
        ms: Math.round((performance.now() - startMs) * 10) / 10,
        client,
        ...identityOf(request),
        ...traceOf(request)
      }, 'request')
    })
    const fault = faultOf(request.raw)
    done(fault === undefined ? undefined : new RequestError('bad_request', fault, { headers: { connection: 'close' } }))
  })
}

// Faults that Node lets through or refuses without a reason. A request that two parties read differently can be used to
// attack one of them.
function faultOf ({ headers, httpVersion, rawHeaders }: IncomingMessage): string | undefined {
  const codings = headers['transfer-encoding']
  if (codings !== undefined && codings.toLowerCase() !== 'chunked') return 'Transfer-Encoding can only be chunked'
  if (headers.host === undefined && httpVersion === '1.1') return 'an HTTP/1.1 request needs a Host header'
  let hosts = 0
  let credentials = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts++
    else if (name?.length === 13 && name.toLowerCase() === 'authorization') credentials++
  }
  if (hosts > 1) return 'a request must have exactly one Host header'
  return credentials > 1 ? 'a request can have one Authorization header' : undefined
}

/** The operation that a request was routed to; undefined for a path without an operation. */
export function operationIdOf (request: FastifyRequest): string | undefined {
  return request.routeOptions.schema?.operationId
}

// A path may be as long as all headers together.
const MAX_LOGGED_PATH = 1000

/** The path as it came, without the query and without what is longer than a line of the log. */
export function pathOf ({ raw: { url = '' } }: FastifyRequest): string {
  const end = url.indexOf('?')
  return url.slice(0, Math.min(end < 0 ? url.length : end, MAX_LOGGED_PATH))
}

// Without authentication a line says nothing of the caller.
function identityOf ({ identified }: FastifyRequest): { caller?: string, scheme?: Scheme } {
  return identified === undefined ? {} : { caller: identified.id, scheme: identified.scheme }
}

/** By what the lines about a request are found: its id, and that of its trace, if it belongs to one. */
export function idsOf (request: FastifyRequest): { reqId: string, traceId?: string } {
  return { reqId: request.id, ...traceOf(request) }
}

function traceOf (request: FastifyRequest): { traceId?: string } {
  const traceId = traceIdOf(request)
  return traceId === undefined ? {} : { traceId }
}

interface Names {
  stream?: string
  superStream?: string
  consumer?: string
  publisher?: string
  subscription?: string
}

const NAMES = ['stream', 'superStream', 'consumer', 'publisher', 'subscription'] as const

/** The names in the path of a request, and the publisher. */
export function namesOf ({ params, query }: FastifyRequest): Names {
  const names: Names = {}
  for (const name of NAMES) {
    // Publishes name the publisher in the query.
    const value = textOf(params, name) ?? (name === 'publisher' ? textOf(query, name) : undefined)
    if (value !== undefined) names[name] = value
  }
  return names
}

function textOf (values: unknown, name: string): string | undefined {
  if (typeof values !== 'object' || values === null) return undefined
  const value: unknown = Reflect.get(values, name)
  return typeof value === 'string' ? value : undefined
}

export default fp(async (app) => requests(app), { name: 'requests', dependencies: ['proxies'] })
