import type { FastifyRequest } from 'fastify'
import { RequestError } from '../../api/problems.ts'
import type { PushPort } from '../../push/push-port.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Push subscriptions; undefined when they are turned off. */
    push: PushPort | undefined
  }
}

/** The subscriptions. @throws RequestError `push_disabled` */
export function pushOf ({ server: { push } }: FastifyRequest): PushPort {
  if (push !== undefined) return push
  throw new RequestError('push_disabled', 'push is turned off in this gateway: set PUSH_ENABLED=true to turn it on')
}
