import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import type { Config } from '../config.ts'
import { whenClosed } from '../http/request-scope.ts'
import type { DeliverySpans } from '../messages/index.ts'
import { VERSION } from '../version.ts'
import { operationIdOf } from './requests.ts'
import { UNTRACED, VERBS } from './tracing/names.ts'
import type { RequestSpan } from './tracing/request-span.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Makes spans of deliveries; undefined unless `TRACING` is on. */
    deliverySpans?: DeliverySpans
  }
  interface FastifyRequest {
    /** Only where `TRACING` is on. */
    span?: RequestSpan | undefined
  }
}

/**
 * Spans of requests, where `TRACING` is on: one of each request, and one of what it does with messages. Only then
 * OpenTelemetry is loaded and the hooks are there.
 */
async function tracing (app: FastifyInstance, { rabbitmq }: Pick<Config, 'rabbitmq'>): Promise<void> {
  const [{ startExport }, { RequestSpan }, { deliverySpans }] = await Promise.all([
    import('./tracing/exporter.ts'), import('./tracing/request-span.ts'), import('./tracing/deliveries.ts')
  ])
  const { tracer, close } = startExport(VERSION, app.log)
  const { virtualHost } = rabbitmq.stream
  app.decorateRequest('span', undefined)
  app.decorate('deliverySpans', deliverySpans(tracer, virtualHost))
  app.addHook('onClose', close)
  app.addHook('onRequest', (request, reply, done) => {
    if (!UNTRACED.has(operationIdOf(request))) {
      const span = new RequestSpan(tracer, request, virtualHost)
      request.span = span
      request.tracedAs = span.headers
      request.onReceived = ({ pieces, count }) => { span.received(pieces, count) }
      request.onLive = () => { span.end(LIVE_STATUS) }
      whenClosed(reply, (isDelivered) => { span.end(isDelivered ? reply.statusCode : undefined) })
    }
    done()
  })
  app.problemListeners.push(({ span }, _reply, problem) => {
    span?.failed(problem.code, problem.status)
    // What was published before it failed.
    if ('published' in problem) span?.published(publishedIn(problem.published))
  })
  app.addHook('onRoute', (route) => { if (isOfMessages(route)) watch(route) })
}

// A span is sent when it ends. One of hours would make the times of all requests meaningless, and a process that is
// killed would lose it: that of a live read ends when its answer begins.
const LIVE_STATUS = 200

function isOfMessages ({ schema }: RouteOptions): boolean {
  return Object.hasOwn(VERBS, schema?.operationId ?? '')
}

function watch (route: RouteOptions): void {
  const begin = (request: FastifyRequest, _reply: unknown, done: () => void): void => {
    const { span } = request
    span?.begin()
    request.tracedAs = span?.headers
    done()
  }
  const note = (
    request: FastifyRequest, _reply: unknown, payload: unknown, done: (error: null, payload: unknown) => void
  ): void => {
    request.span?.published(publishedIn(payload))
    done(null, payload)
  }
  const end = (
    request: FastifyRequest, _reply: unknown, payload: unknown, done: (error: null, payload: unknown) => void
  ): void => {
    request.span?.endWork()
    done(null, payload)
  }
  route.preHandler = [...[route.preHandler ?? []].flat(), begin]
  route.preSerialization = [...[route.preSerialization ?? []].flat(), note]
  route.onSend = [...[route.onSend ?? []].flat(), end]
}

// Of how many messages a publish knows what became of them, or that it does not know.
function publishedIn (answer: unknown): number | undefined {
  if (typeof answer !== 'object' || answer === null || !('confirmed' in answer)) return undefined
  const failures = 'results' in answer && Array.isArray(answer.results) ? answer.results.length : 0
  return failures + numberIn(answer, 'confirmed') + numberIn(answer, 'duplicates') + numberIn(answer, 'unknown')
}

function numberIn (answer: object, name: string): number {
  const value: unknown = Reflect.get(answer, name)
  return typeof value === 'number' ? value : 0
}

export default fp<Pick<Config, 'rabbitmq'>>(tracing, { name: 'tracing', dependencies: ['requests', 'errors'] })
