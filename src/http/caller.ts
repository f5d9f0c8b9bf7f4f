import type { FastifyRequest } from 'fastify'
import { ANYBODY, type Caller } from '../access/caller.ts'
import type { Broker } from '../streams/index.ts'

/** A caller for whom RabbitMQ decides has a `Broker` of its own, with connections as its user. */
export interface IdentifiedCaller extends Caller { readonly broker?: Broker | undefined }

declare module 'fastify' {
  interface FastifyRequest {
    /**
     * Who makes the request, once that is known; see `callerOf`. Not declared by `decorateRequest`: Fastify would then
     * set it in every request, also without authentication.
     */
    identified?: IdentifiedCaller | undefined
  }
}

/** Who makes a request. */
export function callerOf (request: FastifyRequest): Caller {
  return request.identified ?? ANYBODY
}

/** @throws AccessError when the credential of the caller has ended since it was looked at */
export function refuseEnded ({ identified }: Pick<FastifyRequest, 'identified'>): void {
  identified?.ended?.throwIfAborted()
}

/** The domain as the caller of a request may use it. Every route asks here, so that no caller gets another's rights. */
export function brokerOf (request: FastifyRequest): Broker {
  return request.identified?.broker ?? request.server.broker
}
