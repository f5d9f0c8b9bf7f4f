import { Type, type FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { ApiApp } from '../http/api-app.ts'
import { shuttingDown, StreamsError } from '../streams/index.ts'
import { json } from '../api/schemas.ts'

const Live = Type.Object({ status: Type.Literal('live') }, { title: 'Liveness' })
const Ready = Type.Object({
  status: Type.Literal('ready'),
  brokerVersion: Type.Union([Type.String(), Type.Null()], { description: 'Version of RabbitMQ.' })
}, { title: 'Readiness' })

/** Whether the process runs, whether it can serve, and its figures. */
export const healthRoutes: FastifyPluginAsyncTypebox = async (app) => {
  getLiveness(app)
  getReadiness(app)
  getMetrics(app)
}

function getLiveness (app: ApiApp): void {
  app.get(
    '/health/live',
    {
      config: { problems: ['bad_request', 'validation_failed', 'internal_error'] },
      schema: {
        operationId: 'getLiveness',
        tags: ['Operations'],
        summary: 'Is the process alive?',
        description: 'Does not depend on the broker: a process must not be restarted because the broker is down.',
        response: { 200: json('The process is alive.', Live, { status: 'live' }) }
      }
    },
    async () => ({ status: 'live' as const })
  )
}

function getReadiness (app: ApiApp): void {
  app.get(
    '/health/ready',
    {
      config: { problems: ['bad_request', 'validation_failed', 'internal_error', 'broker_unavailable', 'draining'] },
      schema: {
        operationId: 'getReadiness',
        tags: ['Operations'],
        summary: 'Can the process serve?',
        description: 'Whether the broker can be reached, which is tried now if necessary, and the process is not ' +
          'shutting down.',
        response: { 200: json('The process can serve.', Ready, { status: 'ready', brokerVersion: '4.0.5' }) }
      }
    },
    async () => {
      if (app.isDraining()) throw shuttingDown()
      const { state, reason, version } = await app.broker.status()
      if (state === 'down') throw new StreamsError('broker_unavailable', reason ?? 'the broker cannot be reached')
      return { status: 'ready' as const, brokerVersion: version }
    }
  )
}

function getMetrics (app: ApiApp): void {
  app.get(
    '/metrics',
    {
      config: { problems: ['bad_request', 'validation_failed', 'internal_error'] },
      schema: {
        operationId: 'getMetrics',
        tags: ['Operations'],
        summary: 'Metrics for Prometheus',
        description: 'Counters, gauges and histograms of this process, in the text format of Prometheus.',
        response: {
          200: { description: 'Prometheus text format.', content: { 'text/plain': { schema: Type.String() } } }
        }
      }
    },
    async (_request, reply) => {
      const text = await app.metrics.metrics()
      return reply.type(app.metrics.contentType).send(text)
    }
  )
}
