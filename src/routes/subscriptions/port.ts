import type { FastifyRequest } from 'fastify'
import { RequestError } from '../../api/problems.ts'
import type { PushPort } from '../../push/push-port.ts'

/** The subscriptions. @throws RequestError `push_disabled` */
export function pushOf ({ server: { push } }: FastifyRequest): PushPort {
  if (push !== undefined) return push
  throw new RequestError('push_disabled', 'push is turned off in this gateway: set PUSH_ENABLED=true to turn it on')
}
