import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { IncomingMessage } from 'node:http'
import { BodyBudget, type BodyClaim } from '../http/body-budget.ts'
import { announcedBytes, discard, readBody } from '../http/body.ts'
import { whenClosed } from '../http/request-scope.ts'
import { parseJsonBody } from '../http/json-body.ts'
import { toJsonText } from '../text/json.ts'
import { Turns } from '../http/turns.ts'
import { RequestError } from '../api/problems.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Reads a body whole, within the limit of its route and the budget of all. */
    readWholeBody: (request: BodyRequest) => Promise<Buffer>
    /**
     * Says how much of a request's body is in memory, from now on; what a request holds is given back when it is over.
     *
     * @throws RequestError `overloaded`
     */
    holdBody: (request: BodyRequest, bytes: number) => void
    /** How much of the budget all requests together hold. */
    totalBodyBytes: () => number
    /** Whether work on so many bytes is heavy: then it is to wait for its turn. */
    isHeavy: (bytes: number) => boolean
    /** Settles when it is time for work on so many bytes: at once when it is not heavy. */
    turn: (bytes: number) => Promise<void> | undefined
  }
  interface FastifyRequest {
    /** What this request takes of the budget, once it has a body. */
    bodyClaim: BodyClaim | undefined
  }
}

// What is needed of a request, whatever the types of its route.
interface BodyRequest {
  readonly raw: IncomingMessage
  readonly routeOptions: { readonly bodyLimit: number }
  bodyClaim: BodyClaim | undefined
}

interface BodiesOptions { bodyBudgetBytes: number }

// Less than a millisecond of parsing or writing JSON.
const LIGHT_WORK_BYTES = 32 * 1024

// Of all others no body is read.
const METHODS_WITH_BODY: ReadonlySet<string> = new Set(['POST', 'PUT'])

/**
 * How bodies are read and written. Small JSON is read whole and parsed here; everything else by the routes that take
 * it, from the raw request. Without the budget a few hundred clients, each sending slowly what its limit allows, could
 * fill the memory.
 */
function bodies (app: FastifyInstance, { bodyBudgetBytes }: BodiesOptions): void {
  const budget = new BodyBudget(bodyBudgetBytes)
  const ended = budget.claim()
  ended.end()
  const turns = new Turns()
  app.server.on('connection', () => { turns.newcomer() })

  readAndWriteJson(app, readWithin)
  app.decorateRequest('bodyClaim', undefined)
  app.decorate('totalBodyBytes', () => budget.heldBytes)
  app.decorate('readWholeBody', (request: BodyRequest) => readWithin(request, request.raw))
  app.decorate('holdBody', (request: BodyRequest, bytes: number) => { claimOf(request).hold(bytes) })
  app.decorate('isHeavy', isHeavy)
  app.decorate('turn', (bytes: number) => isHeavy(bytes) ? turns.next() : undefined)

  app.addHook('onRequest', (request, reply, done) => {
    const encoding = request.headers['content-encoding']
    if (encoding !== undefined && encoding.toLowerCase() !== 'identity' && METHODS_WITH_BODY.has(request.method)) {
      done(
        new RequestError('unsupported_media_type', 'compressed bodies are not read: send it without Content-Encoding')
      )
      return
    }
    // Without a claim it gets one that has ended: work for it may continue after its client has left, and hold nothing.
    whenClosed(reply, () => { (request.bodyClaim ??= ended).end() })
    done()
  })

  function claimOf (request: BodyRequest): BodyClaim {
    request.bodyClaim ??= budget.claim()
    return request.bodyClaim
  }

  async function readWithin (request: BodyRequest, payload: IncomingMessage): Promise<Buffer> {
    const limitBytes = request.routeOptions.bodyLimit
    const claim = claimOf(request)
    try {
      // What will not fit is better refused now than when most of it has been sent.
      claim.announce(Math.min(announcedBytes(payload), limitBytes))
    } catch (error) {
      discard(payload)
      throw error
    }
    return await readBody(payload, limitBytes, 'the limit for this body', claim)
  }
}

function isHeavy (bytes: number): boolean {
  return bytes > LIGHT_WORK_BYTES
}

type ReadBody = (request: BodyRequest, payload: IncomingMessage) => Promise<Buffer>

function readAndWriteJson (app: FastifyInstance, read: ReadBody): void {
  // What a schema does not know is an error of ours that the tests find; a serialiser made of the schema would drop it,
  // and could not write a bigint that may also be null. Route by route: a scope with schemas of its own would get one
  // of its own.
  app.addHook('onRoute', (route) => { route.serializerCompiler ??= () => toJsonText })
  app.removeAllContentTypeParsers()
  // Nothing that a body could say would change what is deleted.
  app.addHttpMethod('DELETE', { hasBody: false, overrideExisting: true })
  app.addContentTypeParser('application/json', async (request: FastifyRequest, payload: IncomingMessage) => {
    const body = await read(request, payload)
    // Clients put a content type on a request without a body; whether it needs one, its schema knows.
    return body.length === 0 ? undefined : parseJsonBody(body)
  })
}

export default fp<BodiesOptions>(async (app, options) => bodies(app, options), { name: 'bodies' })
