import { StreamsError, type Broker } from '../streams/index.ts'
import type { SubscriptionKey } from './definitions/definitions.ts'
import type { Unit } from './unit.ts'

/**
 * The units of a subscription, without its redrives: one for a stream, one for each partition of a super stream.
 *
 * @param broker names are the API's
 * @throws StreamsError `super_stream_not_found`, ...
 */
export async function unitsOf (key: SubscriptionKey, broker: Broker): Promise<Unit[]> {
  if (key.source === 'stream') return [{ key, partition: '', redrive: '' }]
  const partitions = await broker.superStreams.partitions(key.stream, 'read', () => {})
  return partitions.map(({ name }) => ({ key, partition: name, redrive: '' }))
}

/** The same; undefined when it is a super stream that does not exist. @throws StreamsError */
export async function unitsIfThere (key: SubscriptionKey, broker: Broker): Promise<Unit[] | undefined> {
  try {
    return await unitsOf(key, broker)
  } catch (error) {
    if (error instanceof StreamsError && error.code === 'super_stream_not_found') return undefined
    throw error
  }
}
