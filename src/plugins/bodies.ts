import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { IncomingMessage } from 'node:http'
import { BodyBudget, type BodyClaim } from '../http/body-budget.ts'
import { announcedBytes, discard, readBody } from '../http/body.ts'
import { codingOf } from '../http/content-coding.ts'
import { decodeBody } from '../http/decoded-body.ts'
import { refuseEnded } from '../http/caller.ts'
import { whenClosed } from '../http/request-scope.ts'
import { parseJsonBody } from '../http/json-body.ts'
import { toJsonText } from '../text/json.ts'
import { Turns } from '../http/turns.ts'
import { RequestError } from '../api/problems.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Reads a whole body, within the limit of its route and the budget of all bodies. */
    readWholeBody: (request: BodyRequest) => Promise<Buffer>
    /**
     * Says how many bytes of a request's body are in memory from now on. They are given back when the request is over.
     *
     * @throws RequestError `overloaded`
     */
    holdBody: (request: BodyRequest, bytes: number) => void
    /** The bytes of the budget that all requests together hold. */
    totalBodyBytes: () => number
    /** Whether work on this many bytes is heavy. Heavy work has to wait for its turn. */
    isHeavy: (bytes: number) => boolean
    /** Settles when work on this many bytes may begin; undefined when the work is not heavy. */
    turn: (bytes: number) => Promise<void> | undefined
  }
  interface FastifyRequest {
    /** The part of the budget that this request takes, once it has a body. */
    bodyClaim: BodyClaim | undefined
  }
}

// The part of a request that is needed here, whatever the types of its route.
interface BodyRequest {
  readonly raw: IncomingMessage
  readonly routeOptions: { readonly bodyLimit: number }
  bodyClaim: BodyClaim | undefined
  readonly identified?: FastifyRequest['identified']
}

interface BodiesOptions { bodyBudgetBytes: number }

// Parsing or writing this much JSON takes less than a millisecond.
const LIGHT_WORK_BYTES = 32 * 1024

// No body is read for other methods.
const METHODS_WITH_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH'])

/**
 * How bodies are read and written. Small JSON bodies are read whole and parsed here; routes read all other bodies from
 * the raw request. Without the budget, a few hundred clients that slowly send as much as the limit allows could fill
 * the memory.
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
    if (encoding !== undefined && METHODS_WITH_BODY.has(request.method)) {
      const coding = codingOf(encoding)
      if (coding instanceof RequestError) {
        done(coding)
        return
      }
      if (coding !== undefined) decodeBody(request.raw, coding, () => claimOf(request))
    }
    // A request without a claim gets one that has ended: work for it may continue after its client has left, and must
    // hold nothing.
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
      // A body that will not fit is refused now, and not after most of it was sent.
      claim.announce(Math.min(announcedBytes(payload), limitBytes))
    } catch (error) {
      discard(payload)
      throw error
    }
    return ofCaller(request, await readBody(payload, limitBytes, 'the limit for this body', claim))
  }
}

// A body may take minutes to arrive, and the credential of its caller may end meanwhile.
function ofCaller (request: BodyRequest, body: Buffer): Buffer {
  refuseEnded(request)
  return body
}

function isHeavy (bytes: number): boolean {
  return bytes > LIGHT_WORK_BYTES
}

type ReadBody = (request: BodyRequest, payload: IncomingMessage) => Promise<Buffer>

function readAndWriteJson (app: FastifyInstance, read: ReadBody): void {
  // A member that the schema does not have is a fault that the tests find. A serialiser made from the schema would drop
  // it, and could not write a bigint that may also be null. The serialiser is set route by route, because a scope with
  // its own schemas would get its own serialiser.
  app.addHook('onRoute', (route) => { route.serializerCompiler ??= () => toJsonText })
  app.removeAllContentTypeParsers()
  // A body cannot change what is deleted.
  app.addHttpMethod('DELETE', { hasBody: false, overrideExisting: true })
  app.addContentTypeParser('application/json', async (request: FastifyRequest, payload: IncomingMessage) => {
    const body = await read(request, payload)
    // Clients send a content type without a body. The schema of the operation says whether it needs one.
    return body.length === 0 ? undefined : parseJsonBody(body)
  })
}

export default fp<BodiesOptions>(async (app, options) => bodies(app, options), { name: 'bodies' })
