import { StreamsError, type Broker } from '../streams/index.ts'
import type { Definition } from './definitions/definition.ts'
import type { Subscription, SubscriptionKey } from './definitions/definitions.ts'
import { sourceOf } from './unit.ts'
import { unitsIfThere } from './units-of.ts'

/**
 * Where a subscription begins at this moment, by partition: see `Subscription.starts`. Undefined when that is settled
 * already; empty when the start needs no such offsets, or when the source does not exist.
 *
 * @param before what it replaces
 * @param broker names are the API's
 * @throws StreamsError
 */
export async function startsOf (
  key: SubscriptionKey, { start, consumer }: Definition, before: Subscription | undefined, broker: Broker
): Promise<Readonly<Record<string, number>> | undefined> {
  if (start !== 'next' && start !== 'last') return {}
  if (before?.definition.start === start && before.definition.consumer === consumer) return undefined
  const units = await unitsIfThere(key, broker) ?? []
  try {
    return Object.fromEntries(await Promise.all(units.map(async (unit): Promise<[string, number]> => {
      return [unit.partition, await broker.consumers.resetTarget(sourceOf(unit), { type: start })]
    })))
  } catch (error) {
    if (error instanceof StreamsError && error.code === 'stream_not_found') return {}
    throw error
  }
}
