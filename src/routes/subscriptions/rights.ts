import type { FastifyRequest } from 'fastify'
import { AccessError } from '../../access/access-error.ts'
import { brokerOf, callerOf } from '../../http/caller.ts'
import { partitionCheck } from '../../http/partition-check.ts'
import type { SubscriptionKey } from '../../push/definitions/definitions.ts'
import { StreamsError } from '../../streams/index.ts'

/*
 * Deliveries run with the account of the gateway. So a caller that makes them happen, or changes them, needs the
 * rights for what they do: read the source, use the consumer, write the error stream.
 */

type Verb = 'read' | 'write' | 'configure'

/**
 * Refuses a caller who may not read the source of a subscription, which need not exist.
 *
 * @throws AccessError, StreamsError
 */
export async function refuseUnlessReads (request: FastifyRequest, { source, stream }: SubscriptionKey): Promise<void> {
  const broker = brokerOf(request)
  broker.streams.nameOnBroker(stream) // refuses a name that no stream can have
  if (source === 'stream') {
    await refuseUnlessMay(request, 'read', stream)
    return
  }
  try {
    await broker.superStreams.partitions(stream, 'read', partitionCheck(request))
  } catch (error) {
    // Its subscriptions outlive it, and are to be seen and deleted.
    if (!(error instanceof StreamsError) || error.code !== 'super_stream_not_found') throw error
    await refuseUnlessMay(request, 'read', stream)
  }
}

/** Whether the caller may read the source of a subscription. @throws StreamsError */
export async function mayRead (request: FastifyRequest, key: SubscriptionKey): Promise<boolean> {
  try {
    await refuseUnlessReads(request, key)
    return true
  } catch (error) {
    if (error instanceof AccessError) return false
    // Hidden streams, and those that RabbitMQ does not let the caller see.
    if (error instanceof StreamsError && HIDES.has(error.code)) return false
    throw error
  }
}

const HIDES = new Set<string>(['access_refused', 'stream_not_found'])

/** @throws AccessError, StreamsError */
export async function refuseUnlessMay (request: FastifyRequest, verb: Verb, stream: string): Promise<void> {
  const broker = brokerOf(request)
  const { rights } = callerOf(request)
  const isAllowed = rights.areBrokers && verb !== 'configure'
    ? await broker.streams.may(verb, stream)
    : rights.allows(verb, broker.streams.nameOnBroker(stream))
  if (!isAllowed) throw refused(`the caller has no "${verb}" on the stream ${JSON.stringify(stream)}`)
}

/** @throws AccessError */
export function refuseForeignConsumer (request: FastifyRequest, consumer: string): void {
  if (!callerOf(request).rights.allowsConsumer(consumer)) {
    throw refused(`the caller may not use the consumer ${JSON.stringify(consumer)}`)
  }
}

function refused (lacking: string): AccessError {
  return new AccessError('access_refused', lacking, { reason: lacking })
}
