import type { ConsumerInfo, Directory, Sources } from '../directory/directory.ts'
import type { MergedBatch } from '../merging/merged-batch.ts'
import type { MergedConsumerPolls, MergedConsumerRequest } from '../merging/merged-consumer-polls.ts'
import type { MergedFollow } from '../merging/merged-follow.ts'
import type { MergedFollowListener } from '../merging/merged-follow-options.ts'
import type { MergedConsumerFollow, MergedFollows } from '../merging/merged-follows.ts'
import type { MergedOffsets, PartitionOffset, PartitionStored } from '../merging/merged-offsets.ts'
import { chosen, type Partition, type Partitions, type SuperStream } from '../merging/partitions.ts'
import type { Position } from '../offset.ts'
import { refuseBadReference } from '../topology/stream-names.ts'
import { checked } from './checked-partitions.ts'
import { forgetMissing, forgettingMissing } from './missing-partitions.ts'
import type { PartitionCheck } from './super-streams-port.ts'

export interface MergedConsumersPortOptions {
  partitions: Partitions
  polls: MergedConsumerPolls
  offsets: MergedOffsets
  follows: MergedFollows
  directory: Directory
}

/** What is known of a consumer in the partitions of a super stream. */
export interface MergedConsumerInfo {
  readonly name: string
  /** Of the partitions in which it is known. */
  readonly partitions: ReadonlyArray<{ readonly partition: string } & Omit<ConsumerInfo, 'name'>>
}

/** By the API's names of partitions. */
export type ByPartition<Value> = ReadonlyMap<string, Value>

/**
 * Consumers of super streams: a name under which the broker keeps an offset in each partition. Names are the API's. A
 * check may refuse a partition.
 */
export class MergedConsumersPort {
  readonly #options: MergedConsumersPortOptions

  constructor (options: MergedConsumersPortOptions) {
    this.#options = options
  }

  /**
   * Reads on from the consumer's stored offsets. Give the memory back with `release`.
   *
   * @throws StreamsError what `MergedReadingPort.read` throws and, when it stores something, what `storeOffsets` throws
   */
  async read (
    superStream: string, consumer: string, request: MergedConsumerRequest, check: PartitionCheck, signal: AbortSignal
  ): Promise<MergedBatch> {
    const { partitions, polls, directory } = this.#options
    const found = await this.#known(superStream, consumer)
    const wanted = chosen(found, request.partitions)
    for (const { name, stream } of wanted) {
      check(name, stream)
      directory.noteRead(stream, consumer)
    }
    const batch = await forgetMissing(partitions, superStream, async () =>
      await polls.read(found, consumer, request, signal))
    const hasStored = request.commit !== undefined || (request.prepare !== undefined && batch.count > 0)
    if (hasStored) this.#noteCommits(wanted, consumer)
    return batch
  }

  /**
   * Follows the partitions from where the consumer is. `begin` what this returns when the listener can be told, and
   * `end` and `close` it, whatever happens.
   *
   * @param check may refuse a partition, also one that is added later
   * @throws StreamsError what `read` throws
   */
  async follow (
    superStream: string, request: MergedConsumerFollow, check: PartitionCheck, listener: MergedFollowListener,
    signal: AbortSignal
  ): Promise<MergedFollow> {
    const { partitions, follows, directory } = this.#options
    const { consumer } = request
    refuseBadReference('consumer', consumer)
    const find = checked(partitions, superStream, request.partitions, (name, stream) => {
      check(name, stream)
      directory.noteRead(stream, consumer)
    })
    const committed = (stream: string): void => { directory.noteCommit(stream, consumer) }
    return await forgettingMissing(partitions, superStream, async () =>
      await follows.openAs(await find.first(), { ...request, committed }, { listener, ...find.again }, signal))
  }

  /** Where the consumer stands in each partition. @throws StreamsError `super_stream_not_found`, ... */
  async storedOffsets (superStream: string, consumer: string, check: PartitionCheck): Promise<PartitionOffset[]> {
    const { partitions } = await this.#known(superStream, consumer)
    for (const { name, stream } of partitions) check(name, stream)
    return await this.#options.offsets.describe(partitions, consumer)
  }

  /**
   * Stores "processed up to and including" these offsets: checks all of them and then stores all.
   *
   * @param expected refuses unless this is stored before in a partition; null: unless nothing is
   * @throws StreamsError `offset_goes_back`, `offset_beyond_end`, `expectation_failed`, ... with nothing stored
   */
  async storeOffsets (
    superStream: string, consumer: string,
    { offsets, expected }: { offsets: ByPartition<number>, expected: ByPartition<number | null> },
    check: PartitionCheck
  ): Promise<PartitionStored[]> {
    const found = await this.#known(superStream, consumer)
    chosen(found, [...expected.keys()])
    const commits = chosen(found, [...offsets.keys()]).map((partition) => {
      check(partition.name, partition.stream)
      return { partition, offset: offsets.get(partition.name) ?? 0, expected: expected.get(partition.name) }
    })
    const results = await this.#options.offsets.store(commits, consumer)
    this.#noteCommits(commits.map(({ partition }) => partition), consumer)
    return results
  }

  /**
   * Makes positions the next ones to be delivered: checks all of them and then stores all.
   *
   * @param to one position for all partitions, or one for each of those that it names
   * @throws StreamsError `offset_beyond_end`, ...
   */
  async resetOffsets (
    superStream: string, consumer: string, to: Position | ByPartition<Position>, check: PartitionCheck
  ): Promise<PartitionStored[]> {
    const found = await this.#known(superStream, consumer)
    const resets = chosen(found, 'type' in to ? undefined : [...to.keys()]).flatMap((partition) => {
      check(partition.name, partition.stream)
      const position = 'type' in to ? to : to.get(partition.name)
      return position === undefined ? [] : [{ partition, to: position }]
    })
    return await this.#options.offsets.reset(resets, consumer)
  }

  /** Every consumer known of any partition. @throws StreamsError `super_stream_not_found`, ... */
  async list (
    superStream: string, check: PartitionCheck
  ): Promise<{ consumers: MergedConsumerInfo[], sources: Sources }> {
    const { partitions } = await this.#options.partitions.find(superStream)
    for (const { name, stream } of partitions) check(name, stream)
    const lists = await Promise.all(partitions.map(async ({ name, stream }) =>
      ({ partition: name, ...await this.#options.directory.consumers(stream) })))
    const byName = new Map<string, Array<MergedConsumerInfo['partitions'][number]>>()
    for (const { partition, consumers } of lists) {
      for (const { name, ...info } of consumers) {
        byName.set(name, [...byName.get(name) ?? [], { partition, ...info }])
      }
    }
    const names = [...byName.keys()].sort()
    const worst = lists.find(({ sources }) => sources.management !== 'ok') ?? lists[0]
    return {
      consumers: names.map((name) => ({ name, partitions: byName.get(name) ?? [] })),
      sources: worst?.sources ?? { management: 'failed', instance: 'ok' }
    }
  }

  async #known (superStream: string, consumer: string): Promise<SuperStream> {
    refuseBadReference('consumer', consumer)
    const found = await this.#options.partitions.find(superStream)
    for (const { stream } of found.partitions) this.#options.directory.sawConsumer(stream, consumer)
    return found
  }

  #noteCommits (partitions: readonly Partition[], consumer: string): void {
    for (const { stream } of partitions) this.#options.directory.noteCommit(stream, consumer)
  }
}
