import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { whenClosed } from '../http/exchange.ts'
import { RequestError } from '../problems.ts'

// What may stand in a log and in a header without surprises.
const SANE_REQUEST_ID = /^[A-Za-z0-9._~:/+=@-]{1,128}$/

/** The caller's `x-request-id` when it is sane, else a new one. */
export function requestId (request: Pick<IncomingMessage, 'headers'>): string {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && SANE_REQUEST_ID.test(given) ? given : randomUUID()
}

/** Headers that every answer has, unless it sets its own. A stored message may claim to be a web page: no browser may run it. */
export const COMMON_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
  'x-content-type-options': 'nosniff'
} as const

/** Request ids, common headers and one log line a request: no bodies, no query strings, no credentials. */
function requests (app: FastifyInstance): void {
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(COMMON_HEADERS)
    reply.header('x-request-id', request.id)
    const startMs = performance.now()
    whenClosed(reply, (isDelivered) => {
      request.log.info({
        operationId: operationIdOf(request),
        stream: streamOf(request),
        status: isDelivered ? reply.statusCode : 'client gone',
        ms: Math.round((performance.now() - startMs) * 10) / 10
      }, 'request')
    })
    // Node would refuse it too, but without saying why.
    const isWithoutHost = request.raw.httpVersion === '1.1' && request.raw.headers.host === undefined
    done(isWithoutHost ? new RequestError('bad_request', 'an HTTP/1.1 request needs a Host header', { headers: { connection: 'close' } }) : undefined)
  })
}

/** The operation that a request was routed to; undefined when to none. */
export function operationIdOf (request: FastifyRequest): string | undefined {
  return request.routeOptions.schema?.operationId
}

function streamOf ({ params }: FastifyRequest): string | undefined {
  return typeof params === 'object' && params !== null && 'stream' in params && typeof params.stream === 'string' ? params.stream : undefined
}

export default fp(async (app) => requests(app), { name: 'requests' })
