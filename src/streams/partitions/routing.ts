import { StreamsError } from '../errors.ts'
import type { PartitionList } from '../topology/partition-lists.ts'
import { hashOf } from './hash.ts'

/** How a routing key finds its partition: by its hash, or as the binding key of partitions. */
export type Routing = 'hash' | 'key'

/** Where a message goes, or why it goes nowhere. */
export type Targets = readonly string[] | StreamsError

/**
 * Where a message goes.
 *
 * @param key undefined when the message has no key
 * @param index of the message in its request
 * @throws StreamsError `invalid_argument` when it needs a key
 */
export type Route = (key: string | undefined, index: number) => Targets

/** Routes by hash, as all clients of RabbitMQ streams do. */
export function byHash ({ partitions, places }: PartitionList): Route {
  const targets = places.map((place) => [place])
  return (key, index) => {
    if (key === undefined) return sole(partitions, index)
    return targets[hashOf(key) % targets.length] ?? noRoute()
  }
}

/** Routes to the partitions that are bound with the key. @param bound what is known of every key that comes */
export function byKey ({ partitions }: PartitionList, bound: ReadonlyMap<string, Targets>): Route {
  return (key, index) => key === undefined ? sole(partitions, index) : bound.get(key) ?? noRoute()
}

/** Why a message goes to no partition. */
export function noRoute (): StreamsError {
  return new StreamsError('no_route', 'no partition of the super stream is bound with the routing key')
}

function sole (partitions: readonly string[], index: number): readonly string[] {
  if (partitions.length === 1) return partitions
  throw new StreamsError(
    'invalid_argument', `message ${index} has no routing key, and the super stream has ${partitions.length} partitions`
  )
}
