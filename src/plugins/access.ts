import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { AccessError } from '../access/access-error.ts'
import { lackingFor } from '../access/decision.ts'
import { Gate, type Authenticators, type Presented } from '../access/gate.ts'
import type { Requirement } from '../access/operations.ts'
import type { Config } from '../config.ts'
import type { IdentifiedCaller } from '../http/caller.ts'
import { keyAuthenticator } from './api-keys.ts'
import type { ProblemListener } from './errors.ts'
import { certificateAuthenticator, certificateOf } from './client-certificates.ts'
import { rabbitmqAuthenticator } from './rabbitmq-users.ts'
import { tokenAuthenticator } from './tokens.ts'

/**
 * Finds the caller of a request and checks its rights. One hook does both before any of a body is read. Without
 * authentication there is no hook.
 */
function access (app: FastifyInstance, config: Config): void {
  const { ways = [], docs } = config.access
  if (ways.length === 0) return
  app.problemListeners.push(challenger(ways))
  const gate = new Gate(authenticators(app, config))
  const takesCertificates = ways.includes('mtls')
  const expectations = holdExpectations(app)
  app.addHook('onRequest', (request, _reply, next) => {
    const done = (error?: Error): void => {
      if (error === undefined && request.headers.expect !== undefined) expectations.meet(request.raw)
      next(error)
    }
    const requirement = requirementOf(request, docs)
    if (requirement === undefined || app.isForOperations(request)) {
      done()
      return
    }
    const admit = (caller: IdentifiedCaller): void => {
      request.identified = caller
      done(caller.ended?.aborted === true ? toError(caller.ended.reason) : refusal(app, request, caller, requirement))
    }
    try {
      const certificate = takesCertificates ? certificateOf(request.raw.socket) : undefined
      const caller = gate.identify(new PresentedBy(app, request, certificate))
      if (caller instanceof Promise) caller.then(admit, (error: unknown) => { done(toError(error)) })
      else admit(caller)
    } catch (error) {
      done(toError(error))
    }
  })
}

/**
 * A client with `Expect: 100-continue` is told to send its body once it may. Node.js would tell it at once.
 */
function holdExpectations ({ server }: FastifyInstance): { meet: (request: IncomingMessage) => void } {
  const waiting = new WeakMap<IncomingMessage, ServerResponse>()
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    waiting.set(request, response)
    server.emit('request', request, response)
  })
  return {
    meet (request) { waiting.get(request)?.writeContinue() }
  }
}

// A class: V8 makes a new hidden class for each object literal with a getter, and collecting these took a third of the
// time of a small publish.
class PresentedBy implements Presented {
  readonly authorization: string | undefined
  readonly certificate: readonly string[] | undefined
  readonly #app: FastifyInstance
  readonly #request: FastifyRequest

  constructor (app: FastifyInstance, request: FastifyRequest, certificate: readonly string[] | undefined) {
    this.authorization = request.headers.authorization
    this.certificate = certificate
    this.#app = app
    this.#request = request
  }

  // Not all ways need it, and behind proxies it takes time.
  get address (): string | undefined {
    return this.#app.clientAddress(this.#request)
  }
}

function authenticators (app: FastifyInstance, config: Config): Authenticators {
  const { ways = [] } = config.access
  return {
    ...(ways.includes('api-keys') && { key: keyAuthenticator(app, config) }),
    ...(ways.includes('rabbitmq') && { rabbitmq: rabbitmqAuthenticator(app, config) }),
    ...(ways.includes('jwt') && { token: tokenAuthenticator(app, config) }),
    ...(ways.includes('mtls') && { certificate: certificateAuthenticator(app, config) })
  }
}

// Undefined: nothing is needed. A path without an operation has nothing to protect.
function requirementOf (request: FastifyRequest, docs: Config['access']['docs']): Requirement | undefined {
  if (request.is404) return undefined
  const { access } = request.routeOptions.config
  switch (access?.type) {
    case 'open':
      return undefined
    case 'documents':
      return docs === 'open' ? undefined : access
    case undefined:
      throw new Error('a route without access')
    default:
      return access
  }
}

function refusal (
  app: FastifyInstance, request: FastifyRequest, { rights }: IdentifiedCaller, requirement: Requirement
): Error | undefined {
  if (requirement.type === 'monitor') {
    return rights.allowsMonitor() ? undefined : refused('the caller has no "monitor"')
  }
  if (requirement.type !== 'stream') return undefined
  const stream = textOf(request.params, 'stream') ?? textOf(request.params, 'superStream') ?? ''
  try {
    const lacking = lackingFor(requirement, rights, {
      stream,
      streamOnBroker: app.broker.streams.nameOnBroker(stream),
      consumer: textOf(request.params, 'consumer'),
      publisher: textOf(request.query, 'publisher')
    })
    return lacking === undefined ? undefined : refused(lacking)
  } catch (error) {
    // A name that no stream can have.
    return toError(error)
  }
}

function refused (lacking: string): AccessError {
  return new AccessError('access_refused', lacking, { reason: lacking })
}

const REALM = 'realm="rabbitmq-stream-gateway"'
const BASIC = `Basic ${REALM}, charset="UTF-8"`
const BEARER = `Bearer ${REALM}`

// How a caller can show who it is, as RFC 9110 asks for.
function challenger (ways: NonNullable<Config['access']['ways']>): ProblemListener {
  const hasBasic = ways.includes('api-keys') || ways.includes('rabbitmq')
  const hasBearer = ways.some((way) => way !== 'mtls')
  return (request, reply, { code }) => {
    const isBearer = request.headers.authorization?.slice(0, 7).toLowerCase() === 'bearer '
    const fault = !isBearer ? '' : code === 'unauthorized' ? ', error="invalid_token"' : ', error="insufficient_scope"'
    if (code === 'unauthorized') {
      reply.header('www-authenticate', [...hasBearer ? [BEARER + fault] : [], ...hasBasic ? [BASIC] : []])
    } else if (code === 'access_refused' && fault !== '') {
      reply.header('www-authenticate', BEARER + fault)
    }
  }
}

function textOf (values: unknown, name: string): string | undefined {
  if (typeof values !== 'object' || values === null) return undefined
  const value: unknown = Reflect.get(values, name)
  return typeof value === 'string' ? value : undefined
}

function toError (error: unknown): Error {
  return error instanceof Error ? error : new Error('not an error', { cause: error })
}

export default fp<Config>(async (app, config) => access(app, config), {
  name: 'access',
  dependencies: ['route-access', 'broker', 'metrics', 'proxies', 'reloads', 'operations-port']
})
