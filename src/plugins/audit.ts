import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import { AccessError } from '../access/access-error.ts'
import { AUDITED_OPERATIONS, type Audited } from '../access/audit/audited-operations.ts'
import type { AuditedRequest, AuditEvent, AuditLine, Ending, Facts, RefusalName } from '../access/audit/events.ts'
import { RefusalSums, SUM_SECONDS } from '../access/audit/refusals.ts'
import type { Caller } from '../access/caller.ts'
import { exactInteger } from '../api/exact-integer.ts'
import type { ProblemCode } from '../api/problems.ts'
import type { Config } from '../config.ts'
import { brokerOf } from '../http/caller.ts'
import { whenClosed } from '../http/request-scope.ts'
import { StreamsError } from '../streams/index.ts'
import { namesOf, operationIdOf } from './requests.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Writes a line of the audit log, unless it is off. Without a request it is the process that did something. */
    audit: (request: FastifyRequest | undefined, event: AuditEvent) => void
  }
}

/** The settings, and the file of the audit log where it has one of its own. */
export interface AuditOptions {
  readonly config: Config
  readonly file: Pick<FastifyBaseLogger, 'info'> | undefined
}

/**
 * Writes a line for each refused caller and each change. Operations that change something are seen here, by the table
 * of them: no handler can forget to tell. Where the audit log does not have an operation, nothing is added to its
 * requests.
 */
function audit (app: FastifyInstance, { config, file }: AuditOptions): void {
  const { audit: { log }, access: { ways = [] } } = config
  if (log === 'off') {
    app.decorate('audit', () => {})
    return
  }
  const logger = file ?? linesInLog(app.log, config)
  const write = (line: AuditLine): void => { logger.info(line, 'audit') }
  const refusals = new TimedRefusals(write)
  app.addHook('onClose', async () => { refusals.flush() })

  app.decorate('audit', (request: FastifyRequest | undefined, event: AuditEvent) => {
    const line = { audit: true as const, ...event, ...(request && { ...auditedRequest(request), ...namesOf(request) }) }
    if ('reason' in line) refusals.note(line)
    else write(line)
  })
  app.problemListeners.push((request, _reply, { code, sideEffects }, error) => {
    const event = refusalEvent(request, code)
    if (event === undefined) return
    if (sideEffects === 'possible') changedBefore.add(request)
    app.audit(request, { event, reason: reasonOf(error) })
  })
  if (ways.length > 0) app.addHook('onRequest', firstSeen(app))
  app.addHook('onRoute', (route) => {
    const audited = AUDITED_OPERATIONS[route.schema?.operationId ?? '']
    if (audited === undefined || (audited.isFrequent && log !== 'all')) return
    watch(route, audited, write)
  })
}

// A log level such as `warn` leaves the lines of the audit log in. `silent` leaves them out.
function linesInLog (log: FastifyBaseLogger, { logLevel }: Config): FastifyBaseLogger {
  return log.child({}, { level: logLevel === 'silent' ? 'silent' : 'info' })
}

// What was done before a credential ended is told by another error, which has the refusal as its cause.
function reasonOf (error: unknown): string {
  const refusal = error instanceof Error && !(error instanceof AccessError) ? error.cause : error
  return refusal instanceof AccessError ? refusal.reason : 'RabbitMQ refused it'
}

// A caller that has used its quota is known.
function refusalEvent (request: FastifyRequest, code: ProblemCode): RefusalName | undefined {
  if (code === 'access_refused') return 'access.refused'
  if (code === 'unauthorized') return 'auth.refused'
  return code === 'too_many_requests' && request.quota === undefined ? 'auth.refused' : undefined
}

/** Refusals that are summed until their time is over. */
class TimedRefusals {
  readonly #sums: RefusalSums
  #timer: NodeJS.Timeout | undefined

  constructor (write: (line: AuditLine) => void) {
    this.#sums = new RefusalSums(write)
  }

  note (line: AuditLine & { readonly reason: string }): void {
    this.#sums.note(line)
    this.#timer ??= setTimeout(() => { this.flush() }, SUM_SECONDS * 1000)
  }

  flush (): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#sums.flush()
  }
}

// Beyond it, a caller that was seen long ago may be told of again.
const MAX_SEEN = 10_000

function firstSeen (app: FastifyInstance) {
  // A caller is the same object for as long as its credential is valid: most requests need no more than this look.
  const callers = new WeakSet<Caller>()
  const names = new Set<string>()
  return (request: FastifyRequest, _reply: FastifyReply, done: () => void): void => {
    const { identified } = request
    if (identified !== undefined && !callers.has(identified)) {
      callers.add(identified)
      const name = `${identified.scheme} ${identified.id}`
      if (!names.has(name)) app.audit(request, { event: 'auth.first_seen' })
      if (names.size >= MAX_SEEN) names.clear()
      names.add(name)
    }
    done()
  }
}

/** What is known of the change of a request, beside its names. */
const facts = new WeakMap<FastifyRequest, Facts>()

/** Requests that were refused when they had changed something: their credential has ended meanwhile. */
const changedBefore = new WeakSet<FastifyRequest>()

function watch (route: RouteOptions, { event, hasChanged }: Audited, write: (line: AuditLine) => void): void {
  const watchEnd = (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    // Asked for now: a socket that is closed no longer knows the address.
    const known = auditedRequest(request)
    whenClosed(reply, (isDelivered) => {
      const status: Ending = isDelivered ? reply.statusCode : 'client gone'
      if (!(hasChanged(status) || changedBefore.has(request)) || !mayStore(request)) return
      write({ audit: true, event, ...known, ...namesOf(request), ...facts.get(request), status })
    })
    done()
  }
  route.onRequest = [...[route.onRequest ?? []].flat(), watchEnd]
  route.preHandler = [...[route.preHandler ?? []].flat(), event === 'offset.reset' ? noteOffsetBefore : noteCommit]
  route.preSerialization = [...[route.preSerialization ?? []].flat(), noteAnswer]
}

// After a reset it is no longer known where the consumer was.
async function noteOffsetBefore (request: FastifyRequest): Promise<void> {
  const { stream, consumer } = namesOf(request)
  if (stream === undefined || consumer === undefined) return
  try {
    const { storedOffset } = await brokerOf(request).consumers.storedOffset(stream, consumer)
    facts.set(request, { from: exactInteger(storedOffset) })
  } catch (error) {
    // The reset itself meets any other fault again.
    if (error instanceof StreamsError && error.code === 'consumer_offset_not_found') facts.set(request, { from: null })
  }
}

// A read of a consumer answers with messages and not with what it has stored.
function noteCommit (request: FastifyRequest, _reply: FastifyReply, done: () => void): void {
  const commit = memberOf(request.query, 'commit')
  if (typeof commit === 'number') facts.set(request, { to: commit })
  done()
}

function noteAnswer (
  request: FastifyRequest, _reply: FastifyReply, payload: unknown, done: (error: null, payload: unknown) => void
): void {
  facts.set(request, { ...facts.get(request), ...factsIn(payload) })
  done(null, payload)
}

function factsIn (answer: unknown): Facts {
  const storedOffset = memberOf(answer, 'storedOffset')
  const confirmed = memberOf(answer, 'confirmed')
  const duplicates = memberOf(answer, 'duplicates')
  const results = memberOf(answer, 'results')
  return {
    ...(isInteger(storedOffset) && { to: exactInteger(BigInt(storedOffset)) }),
    ...(typeof confirmed === 'number' && { confirmed }),
    ...(typeof duplicates === 'number' && { duplicates }),
    ...(Array.isArray(results) && { failed: results.length })
  }
}

const READS: ReadonlySet<string | undefined> = new Set(['readAsConsumer', 'readSuperStreamAsConsumer'])

// Of the operations that are watched, only a read of a consumer can be one that stores nothing.
function mayStore (request: FastifyRequest): boolean {
  if (!READS.has(operationIdOf(request))) return true
  return memberOf(request.query, 'commit') !== undefined || memberOf(request.query, 'autoCommit') === true
}

function auditedRequest (request: FastifyRequest): AuditedRequest {
  const { identified } = request
  return {
    caller: identified?.id,
    credential: identified?.credentialId,
    scheme: identified?.scheme,
    address: request.server.clientAddress(request),
    reqId: request.id,
    operationId: operationIdOf(request)
  }
}

function memberOf (values: unknown, name: string): unknown {
  return typeof values === 'object' && values !== null ? Reflect.get(values, name) : undefined
}

function isInteger (value: unknown): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint'
}

export default fp<AuditOptions>(async (app, options) => audit(app, options), {
  name: 'audit',
  dependencies: ['requests', 'proxies', 'broker', 'access']
})
