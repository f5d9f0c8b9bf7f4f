import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { IncomingMessage } from 'node:http'
import { readBody } from '../http/body.ts'
import { whenClosed } from '../http/exchange.ts'
import { decodeUtf8, parseJson, toJsonText } from '../http/json.ts'
import { RequestError } from '../problems.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Reads a body whole, within the limit of its route and the budget of all. */
    readWholeBody: (request: BodyRequest) => Promise<Buffer>
    /** How much of the budget all requests together hold. */
    totalBodyBytes: () => number
  }
  interface FastifyRequest {
    /** How much of the budget this request holds; given back when it is over. */
    heldBodyBytes: number
  }
}

// What is needed of a request, whatever the types of its route.
interface BodyRequest {
  readonly raw: IncomingMessage
  readonly routeOptions: { readonly bodyLimit: number }
  heldBodyBytes: number
}

interface BodiesOptions { bodyBudgetBytes: number }

/**
 * How bodies are read and written. JSON is read whole and parsed here; other types only by the routes that take them, from the raw
 * request. Without this a few hundred clients, each sending slowly what its limit allows, could fill the memory.
 */
function bodies (app: FastifyInstance, { bodyBudgetBytes }: BodiesOptions): void {
  let heldBytes = 0

  app.decorateRequest('heldBodyBytes', 0)
  app.decorate('totalBodyBytes', () => heldBytes)
  app.decorate('readWholeBody', async (request: BodyRequest) => await readWithin(request, request.raw))

  // What a schema does not know is an error of ours that the tests find; a serialiser made of the schema would drop it,
  // and could not write a bigint that may also be null.
  app.setSerializerCompiler(() => toJsonText)
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', async (request: FastifyRequest, payload: IncomingMessage) => {
    const body = await readWithin(request, payload)
    // Clients put a content type on a request without a body; whether it needs one, its schema knows.
    return body.length === 0 ? undefined : parseJson(decodeUtf8(body))
  })

  app.addHook('onRequest', (request, reply, done) => {
    const encoding = request.headers['content-encoding']
    if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
      done(new RequestError('unsupported_media_type', 'compressed bodies are not read: send it without Content-Encoding'))
      return
    }
    whenClosed(reply, () => {
      heldBytes -= request.heldBodyBytes
      request.heldBodyBytes = 0
    })
    done()
  })

  async function readWithin (request: BodyRequest, payload: IncomingMessage): Promise<Buffer> {
    return await readBody(payload, request.routeOptions.bodyLimit, 'the limit for this body', {
      tryTake (bytes) {
        if (heldBytes + bytes > bodyBudgetBytes) return false
        heldBytes += bytes
        request.heldBodyBytes += bytes
        return true
      }
    })
  }
}

export default fp<BodiesOptions>(async (app, options) => bodies(app, options), { name: 'bodies' })
