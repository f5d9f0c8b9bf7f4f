import type { FastifyRequest } from 'fastify'
import { invalidRequest } from '../../api/problems.ts'
import type { Subscription, SubscriptionKey } from '../../push/definitions/definitions.ts'
import { PushError } from '../../push/push-error.ts'
import { StreamsError, type Broker } from '../../streams/index.ts'
import { mayRead } from './rights.ts'

/**
 * Two subscriptions with one consumer on one stream would move each other.
 *
 * @throws RequestError, StreamsError
 */
export async function refuseTakenConsumer (
  request: FastifyRequest, key: SubscriptionKey, consumer: string, others: readonly Subscription[]
): Promise<void> {
  // With the account of the gateway, which knows all partitions.
  const { server: { broker } } = request
  for (const { key: own, definition } of others) {
    if (definition.consumer !== consumer || isSame(own, key) || !await shareStream(broker, own, key)) continue
    const owner = await mayRead(request, own)
      ? `the subscription "${own.subscription}" of "${own.stream}"`
      : 'another subscription'
    throw invalidRequest([{ pointer: '/consumer', message: `is the consumer of ${owner}` }])
  }
}

/**
 * Messages that fail must not come back to the subscription, not over other subscriptions either.
 *
 * @throws PushError `error_stream_refused`, StreamsError
 */
export async function refuseCircle (
  broker: Broker, key: SubscriptionKey, errorStream: string, others: readonly Subscription[]
): Promise<void> {
  const reached = new Set([errorStream])
  // A Set is iterated in the order of insertion, what is added on the way included.
  for (const stream of reached) {
    if (await delivers(broker, key, stream)) {
      const way = stream === errorStream ? 'is the stream that is delivered' : 'leads back over other subscriptions'
      throw new PushError('error_stream_refused', `the error stream "${errorStream}" ${way}`)
    }
    for (const { key: own, definition } of others) {
      if (definition.onFailure !== 'errorStream' || isSame(own, key)) continue
      if (await delivers(broker, own, stream)) reached.add(definition.errorStream)
    }
  }
}

function isSame (a: SubscriptionKey, b: SubscriptionKey): boolean {
  return a.source === b.source && a.stream === b.stream && a.subscription === b.subscription
}

async function shareStream (broker: Broker, a: SubscriptionKey, b: SubscriptionKey): Promise<boolean> {
  if (a.source === b.source) return a.stream === b.stream
  return a.source === 'stream' ? await delivers(broker, b, a.stream) : await delivers(broker, a, b.stream)
}

/** Whether a subscription delivers what is in the stream. */
async function delivers (broker: Broker, { source, stream }: SubscriptionKey, name: string): Promise<boolean> {
  if (source === 'stream') return stream === name
  // Partitions are named after their super stream: most need not be asked for.
  if (!name.startsWith(`${stream}-`)) return false
  try {
    return (await broker.superStreams.partitions(stream, 'read', () => {})).some((partition) => partition.name === name)
  } catch (error) {
    if (error instanceof StreamsError && error.code === 'super_stream_not_found') return false
    throw error
  }
}
