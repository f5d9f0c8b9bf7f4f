import { StreamsError } from '../errors.ts'
import type { PartitionList, PartitionLists } from '../topology/partition-lists.ts'
import type { StreamNames } from '../topology/stream-names.ts'
import { keyOf, type PartitionKey } from './cursor.ts'

/** A partition of a super stream. */
export interface Partition {
  /** The API's name. */
  readonly name: string
  /** The broker's. */
  readonly stream: string
  /** In cursors. */
  readonly key: PartitionKey
}

/** A super stream as it is now. */
export interface SuperStream {
  /** The API's name. */
  readonly name: string
  /** In the order of the broker; at least one. */
  readonly partitions: readonly Partition[]
}

/** Finds the partitions of super streams. They are known for a minute. */
export class Partitions {
  readonly #lists: PartitionLists
  readonly #names: StreamNames
  readonly #found = new WeakMap<PartitionList, SuperStream>()

  constructor (lists: PartitionLists, names: StreamNames) {
    this.#lists = lists
    this.#names = names
  }

  /**
   * @param superStream the API's name
   * @throws StreamsError `super_stream_not_found`, `access_refused`, ...
   */
  async find (superStream: string): Promise<SuperStream> {
    const onBroker = this.#names.toBroker(superStream)
    const list = await this.#lists.of(onBroker, 'read')
    const known = this.#found.get(list)
    if (known !== undefined) return known
    const partitions = list.partitions.map((stream) => {
      const name = this.#names.fromBroker(stream) ?? stream
      return { name, stream, key: keyOf(superStream, name) }
    })
    const found = { name: superStream, partitions }
    this.#found.set(list, found)
    return found
  }

  /** They are asked for again: one of them does not exist. */
  forget (superStream: string): void {
    this.#lists.forget(this.#names.toBroker(superStream))
  }
}

/**
 * Those of the partitions that have these names, in their own order.
 *
 * @param names undefined: all
 * @throws StreamsError `stream_not_found` when one is not a partition of the super stream
 */
export function chosen ({ name, partitions }: SuperStream, names: readonly string[] | undefined): readonly Partition[] {
  if (names === undefined) return partitions
  const unknown = names.find((wanted) => !partitions.some((partition) => partition.name === wanted))
  if (unknown === undefined) return partitions.filter((partition) => names.includes(partition.name))
  throw new StreamsError(
    'stream_not_found',
    `${JSON.stringify(unknown.slice(0, 200))} is not a partition of the super stream ${JSON.stringify(name)}: it has ` +
      partitions.slice(0, 20).map((partition) => JSON.stringify(partition.name)).join(', ')
  )
}
