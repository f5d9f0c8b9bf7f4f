import type { FastifyRequest } from 'fastify'
import { AccessError } from '../access/access-error.ts'
import { lackingFor } from '../access/decision.ts'
import type { PartitionCheck } from '../streams/index.ts'
import { callerOf } from './caller.ts'

/**
 * For an operation on a super stream: what the caller needs on the super stream, it needs on each partition too, as
 * with RabbitMQ itself. The check throws an `AccessError` for a partition on which the caller lacks it.
 */
export function partitionCheck (request: FastifyRequest): PartitionCheck {
  const { access } = request.routeOptions.config
  const { rights } = callerOf(request)
  return (stream, streamOnBroker) => {
    if (access?.type !== 'stream') return
    const lacking = lackingFor(access, rights, { stream, streamOnBroker })
    if (lacking !== undefined) throw new AccessError('access_refused', lacking, { reason: lacking })
  }
}
