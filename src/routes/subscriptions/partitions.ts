import type { FastifyRequest } from 'fastify'
import { brokerOf } from '../../http/caller.ts'
import { partitionCheck } from '../../http/partition-check.ts'
import { invalidRequest } from '../../api/problems.ts'
import type { SubscriptionKey } from '../../push/definitions/definitions.ts'

/**
 * Refuses names that are not partitions of the super stream of a subscription.
 *
 * @throws RequestError, AccessError, StreamsError
 */
export async function refuseOtherPartitions (
  request: FastifyRequest, { stream }: SubscriptionKey, names: readonly string[], pointer: string
): Promise<void> {
  const partitions = await brokerOf(request).superStreams.partitions(stream, 'read', partitionCheck(request))
  const known = new Set(partitions.map(({ name }) => name))
  const other = names.find((name) => !known.has(name))
  if (other === undefined) return
  throw invalidRequest([{ pointer, message: `names ${JSON.stringify(other)}, which is not a partition` }])
}
