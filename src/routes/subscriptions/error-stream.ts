import type { FastifyRequest } from 'fastify'
import { brokerOf } from '../../http/caller.ts'
import { partitionCheck } from '../../http/partition-check.ts'
import type { Definition } from '../../push/definitions/definition.ts'
import type { Subscription, SubscriptionKey } from '../../push/definitions/definitions.ts'
import { StreamsError, type StreamArguments } from '../../streams/index.ts'
import { refuseCircle } from './neighbours.ts'
import { refuseUnlessMay } from './rights.ts'

/**
 * Sees to it that messages which fail can be written: the caller may write the error stream, it exists, and it does not
 * lead back to the subscription.
 *
 * @param others all subscriptions
 * @throws PushError `error_stream_refused`, AccessError, StreamsError
 */
export async function prepareErrorStream (
  request: FastifyRequest, key: SubscriptionKey, definition: Definition, others: readonly Subscription[]
): Promise<void> {
  const { errorStream, onFailure } = definition
  if (onFailure !== 'errorStream') return
  // First: where an error stream leads is told to those who may write it.
  await refuseUnlessMay(request, 'write', errorStream)
  await refuseCircle(request.server.broker, key, errorStream, others)
  await createErrorStream(request, key, errorStream)
}

/** Creates the error stream of a subscription, unless it is there. @throws AccessError, StreamsError */
export async function createErrorStream (
  request: FastifyRequest, key: SubscriptionKey, errorStream: string
): Promise<void> {
  await refuseUnlessMay(request, 'write', errorStream)
  // With the account of the gateway: who may write a stream may know whether it exists, and need not read it.
  if (await exists(request, errorStream)) return
  await refuseUnlessMay(request, 'configure', errorStream)
  await brokerOf(request).streams.create(errorStream, await retentionOf(request, key))
}

async function exists ({ server: { broker } }: FastifyRequest, stream: string): Promise<boolean> {
  try {
    await broker.streams.describe(stream)
    return true
  } catch (error) {
    if (error instanceof StreamsError && error.code === 'stream_not_found') return false
    throw error
  }
}

/** How long the source keeps its messages, where the management API tells it. */
async function retentionOf (
  request: FastifyRequest, { source, stream }: SubscriptionKey
): Promise<StreamArguments> {
  const broker = brokerOf(request)
  const [partition] = source === 'stream'
    ? []
    : await broker.superStreams.partitions(stream, 'read', partitionCheck(request))
  const { arguments: args = {} } = await broker.streams.describe(partition?.name ?? stream)
  const { maxLengthBytes, maxAge, maxSegmentSizeBytes } = args
  return {
    ...(typeof maxLengthBytes === 'number' && { maxLengthBytes }),
    ...(typeof maxAge === 'string' && { maxAge }),
    ...(typeof maxSegmentSizeBytes === 'number' && { maxSegmentSizeBytes })
  }
}
