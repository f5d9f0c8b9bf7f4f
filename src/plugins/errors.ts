import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable, type Duplex } from 'node:stream'
import { AccessError } from '../access/access-error.ts'
import { discard } from '../http/body.ts'
import { answeredWhole } from '../http/request-scope.ts'
import {
  invalidRequest, RequestError, toProblemAnswer, type Problem, type ProblemCode, type ProblemText
} from '../api/problems.ts'
import { ANY_TYPE } from '../messages/index.ts'
import { StreamsError } from '../streams/index.ts'
import { COMMON_HEADERS, idsOf, requestId } from './requests.ts'
import { endWithProblem, PROBLEM_JSON } from './socket-errors.ts'
import { unknownPath } from './unknown-paths.ts'
import { fieldErrors } from './validation.ts'
import { withVisibleNames } from './visible-names.ts'

interface ErrorsOptions { pathPrefix: string }

/** Learns of a problem that answers a request, and of the error behind it. It does not throw. */
export type ProblemListener = (request: FastifyRequest, reply: FastifyReply, problem: Problem, error: unknown) => void

/** Every error leaves as `application/problem+json`: thrown ones, unknown paths, wrong methods. */
function errors (app: FastifyInstance, { pathPrefix }: ErrorsOptions): void {
  const methodsByUrl = new Map<string, Set<string>>()
  let isCollecting = true
  const templates = (): string[] => [...methodsByUrl.keys()]

  app.setErrorHandler(sendProblem)
  // By itself, Node would answer an unknown Expect with a bare status.
  app.server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    sendUnknownExpectation(request, response, pathPrefix)
  })
  // Without this, the connection would just be closed.
  app.server.on('connect', (_request: IncomingMessage, socket: Duplex) => {
    endWithProblem(socket, new RequestError('bad_request', 'this is not a proxy: CONNECT is not supported'), {
      pathPrefix
    })
  })
  app.setNotFoundHandler((request) => { throw unknownPath(request, templates()) })
  app.decorate('pathTemplates', templates)
  app.decorate('problemListeners', [])
  app.addHook('onRoute', ({ url, method, schema }) => {
    if (!isCollecting || schema?.operationId === undefined) return
    const methods = methodsByUrl.get(url) ?? new Set()
    for (const name of [method].flat()) methods.add(name)
    methodsByUrl.set(url, methods)
  })
  app.decorate('refuseOtherMethods', () => {
    isCollecting = false
    for (const [url, methods] of methodsByUrl) addMethodNotAllowed(app, url, [...methods])
  })
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Another form of a problem that the client wants, also of one that is found before the handler. */
    problemText?: (request: FastifyRequest, problem: Problem) => ProblemText | undefined
  }
  interface FastifyInstance {
    /** Answers 405 for the methods that a path does not have. Call once, after all routes. */
    refuseOtherMethods: () => void
    /** The paths of all operations. */
    pathTemplates: () => string[]
    /** What plugins do with a problem before it is sent, such as to add a header. */
    problemListeners: ProblemListener[]
  }
}

function addMethodNotAllowed (app: FastifyInstance, url: string, methods: string[]): void {
  const others = app.supportedMethods.filter((name) => !methods.includes(name))
  const allow = methods.toSorted().join(', ')
  app.route({
    method: others,
    url,
    schema: { hide: true },
    config: { access: { type: 'open' } },
    // Before the body is read: its type and size no longer matter.
    onRequest: (request, _reply, done) =>
      done(
        new RequestError('method_not_allowed', `${request.method} is not allowed here; allowed are ${allow}`, {
          headers: { allow }
        })
      ),
    handler: () => undefined
  })
}

/** For errors that Fastify finds before routing, such as a URL that cannot be decoded. */
export function sendFrameworkProblem (error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  reply.headers(COMMON_HEADERS).header('x-request-id', request.id)
  sendProblem(error, request, reply)
}

function sendProblem (error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const known = ofTheCaller(withPointer(fromFramework(error, request), request), request)
  const { problem: whole, headers } = toProblemAnswer(known, request.id, request.server.publicPrefix(request))
  const problem = withVisibleNames(whole, request)
  // When a client leaves, its request is aborted, which is not a fault. Refusals for overload are not faults either:
  // each has its line as a request, and logging a stack for each would add to the load.
  const isFault =
    problem.status >= 500 &&
    problem.code !== 'overloaded' &&
    problem.code !== 'draining' &&
    !(known instanceof AccessError) &&
    !request.raw.socket.destroyed
  if (isFault) {
    const { code } = problem
    request.log.error({ ...idsOf(request), err: known, cause: causeOf(known), code }, 'request failed')
  }
  // Fastify closes the connection after a body that it could not parse. Here the rest of the body is read and dropped.
  reply.removeHeader('connection')
  const wanted = request.routeOptions.config.problemText?.(request, problem)
  const text = wanted?.text ?? JSON.stringify(problem)
  reply.code(wanted === undefined ? problem.status : 200).headers(headers).type(wanted?.mediaType ?? PROBLEM_JSON)
  for (const listener of request.server.problemListeners) listener(request, reply, problem, known)
  if (isComplete(request.raw)) reply.send(text)
  else {
    reply.header('content-length', Buffer.byteLength(text)).send(
      untilSent(request.raw, text, () => {
        answeredWhole(reply)
      })
    )
  }
}

function isComplete (request: IncomingMessage): boolean {
  const hasBody = request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined
  return request.complete || request.method === 'HEAD' || !hasBody
}

// How long a refused client may continue to send before its connection is closed, where it is to be closed.
const MAX_LINGER_MS = 5000

// The client gets its whole answer at once, but the answer ends only when the client has stopped sending. Where the
// connection is closed after the answer (`Connection: close`, HTTP/1.0), bytes that are still arriving would be
// answered by a reset, and many clients drop the answer then. A bare stream is used because refusals come by the
// hundred, and a stream made from a generator takes as long as the rest of a refusal.
function untilSent (request: IncomingMessage, text: string, whenRead: () => void): Readable {
  const answer = new Readable({
    // A call for more means that the text was taken.
    read () { whenRead() },
    destroy (error, done) {
      clearTimeout(timer)
      done(error)
    }
  })
  const end = (): void => { answer.push(null) }
  const timer = setTimeout(end, MAX_LINGER_MS)
  answer.push(text)
  discard(request, end)
  return answer
}

const FRAMEWORK_CODES: Readonly<Record<string, readonly [ProblemCode, string]>> = {
  FST_ERR_BAD_URL: ['bad_request', 'the path has a % that does not start a percent-encoded UTF-8 character'],
  FST_ERR_MAX_PARAM_LENGTH: ['validation_failed', 'a name in the path is too long'],
  FST_ERR_CTP_BODY_TOO_LARGE: ['payload_too_large', 'the body is too large'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['bad_request', 'the length of the body is not the one in Content-Length']
}

function fromFramework (error: unknown, request: FastifyRequest): unknown {
  if (!(error instanceof Error) || error instanceof RequestError || error instanceof StreamsError) return error
  if ('validation' in error && Array.isArray(error.validation)) {
    const part = 'validationContext' in error ? String(error.validationContext) : 'body'
    // The name at the end of the path is empty.
    if (part === 'params' && /^[^?]*\/(?:\?|$)/.test(request.raw.url ?? '')) {
      return unknownPath(request, request.server.pathTemplates())
    }
    return invalidRequest(fieldErrors(error.validation, part))
  }
  const code = 'code' in error ? String(error.code) : ''
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return new RequestError('unsupported_media_type', mediaTypeFault(request), { cause: error })
  }
  const known = FRAMEWORK_CODES[code]
  // Files are looked for by a library with errors of its own, for example when a path leads outside of the folder.
  const status = code === '' && 'statusCode' in error ? Number(error.statusCode) : 500
  if (status >= 400 && status < 500) return unknownPath(request, request.server.pathTemplates())
  return known === undefined ? error : new RequestError(known[0], known[1], { cause: error })
}

// The most common first mistake: many clients send a content type of their own choice when none is given.
function mediaTypeFault ({ headers, routeOptions }: FastifyRequest): string {
  const given = headers['content-type']
  const types = routeOptions.config.bodyFormats?.map(({ mediaType }) => mediaType) ?? ['application/json']
  if (types.includes(ANY_TYPE)) return 'Content-Type is not a media type'
  const fault = given === undefined ? 'and is missing' : `not ${given.slice(0, 100)}`
  return `Content-Type has to be ${types.join(' or ')}, ${fault}`
}

/** The refusal of an ended credential, in place of the failure that it caused; not when something may have happened. */
function ofTheCaller (error: unknown, { identified }: FastifyRequest): unknown {
  const hasEnded = identified?.ended?.aborted === true
  return hasEnded && error instanceof StreamsError && error.sideEffects === 'none' ? identified.ended.reason : error
}

/** A name that the domain refuses is a field of the request. */
function withPointer (error: unknown, { params }: FastifyRequest): unknown {
  if (!(error instanceof StreamsError) || error.code !== 'invalid_argument') return error
  if (error.details === undefined || !('argument' in error.details)) return error
  const { argument } = error.details
  const part = typeof params === 'object' && params !== null && argument in params ? 'path' : 'query'
  return invalidRequest([{ pointer: `/${part}/${argument}`, message: error.message }], error)
}

function causeOf (error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined
}

function sendUnknownExpectation (request: IncomingMessage, response: ServerResponse, pathPrefix: string): void {
  const id = requestId(request)
  const { problem } = toProblemAnswer(
    new RequestError('expectation_not_supported', 'Expect can only be 100-continue'),
    id,
    pathPrefix
  )
  const body = JSON.stringify(problem)
  // The client may or may not have sent its body, so it is not known where the next request begins.
  response.writeHead(problem.status, {
    ...COMMON_HEADERS,
    'content-type': PROBLEM_JSON,
    'content-length': Buffer.byteLength(body),
    'x-request-id': id,
    connection: 'close'
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}

export default fp<ErrorsOptions>(async (app, options) => errors(app, options), {
  name: 'errors',
  dependencies: ['proxies', 'requests']
})
