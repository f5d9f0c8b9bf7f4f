import { StreamsError } from '../errors.ts'
import type { StreamNames } from '../topology/stream-names.ts'
import type { SuperStreams } from '../topology/super-streams.ts'

/** A partition of a super stream. */
export interface Partition {
  /** The API's name. */
  readonly name: string
  /** The broker's. */
  readonly stream: string
}

/** A super stream as it is now. */
export interface SuperStream {
  /** The API's name. */
  readonly name: string
  /** In the order of the broker; at least one. */
  readonly partitions: readonly Partition[]
}

/** Finds the partitions of a super stream. */
export class Partitions {
  readonly #superStreams: SuperStreams
  readonly #names: StreamNames

  constructor (superStreams: SuperStreams, names: StreamNames) {
    this.#superStreams = superStreams
    this.#names = names
  }

  /**
   * Asks each time: a partition that was added is seen by the next read.
   *
   * @param name the API's
   * @throws StreamsError `stream_not_found`
   */
  async find (name: string): Promise<SuperStream> {
    const onBroker = this.#names.toBroker(name)
    const streams = await this.#superStreams.partitionsOf(onBroker)
    if (streams.length === 0) throw new StreamsError('stream_not_found', 'there is no super stream of this name')
    return { name, partitions: streams.map((stream) => ({ name: name + stream.slice(onBroker.length), stream })) }
  }
}

/**
 * Those of the partitions that have these names, in their own order.
 *
 * @param names undefined: all
 * @throws StreamsError `stream_not_found` when one is no partition of the super stream
 */
export function chosen ({ name, partitions }: SuperStream, names: readonly string[] | undefined): readonly Partition[] {
  if (names === undefined) return partitions
  const unknown = names.find((wanted) => !partitions.some((partition) => partition.name === wanted))
  if (unknown === undefined) return partitions.filter((partition) => names.includes(partition.name))
  const message = `${JSON.stringify(unknown.slice(0, 200))} is no partition of the super stream ${JSON.stringify(name)}`
  throw new StreamsError('stream_not_found', message, {
    details: { partitions: partitions.map((partition) => partition.name) }
  })
}
