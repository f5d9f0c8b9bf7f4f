import type { Directory } from '../directory/directory.ts'
import { StreamsError } from '../errors.ts'
import type { ManagementClient } from '../management/management-client.ts'
import { listSuperStreamNames } from '../management/super-stream-listing.ts'
import type { MessageBatch } from '../message-batch.ts'
import type { PartitionedPublishing } from '../partitions/partitioned-publishing.ts'
import type { RoutedOptions } from '../partitions/partitioned-session.ts'
import type { PublishResult } from '../publishing/outcome.ts'
import type { StreamedSession } from '../publishing/publish-session.ts'
import type { PartitionLists, UseOfPartitions } from '../topology/partition-lists.ts'
import type { Permissions } from '../topology/permissions.ts'
import type { StreamArguments } from '../topology/stream-arguments.ts'
import { pageOf, type NamedStream, type PageQuery, type StreamFilter } from '../topology/stream-list.ts'
import { refuseBadReference, type StreamNames } from '../topology/stream-names.ts'
import type { SuperStreamAdmin } from '../topology/super-stream-admin.ts'
import type { PartitionDescription, SuperStreamView } from '../topology/super-stream-view.ts'

export interface SuperStreamsPortOptions {
  names: StreamNames
  admin: SuperStreamAdmin
  view: SuperStreamView
  lists: PartitionLists
  publishing: PartitionedPublishing
  directory: Directory
  management: ManagementClient | undefined
  /** Of a caller's user: it is shown what RabbitMQ lets it read or write. */
  permissions?: Permissions | undefined
  /** Called with the broker's name of a partition that this process has just deleted. */
  whenDeleted: (stream: string) => void
}

export type SuperStreamPage = { superStreams: string[], nextCursor: string | null }

/** Looks at the broker's name of a partition, and throws when the caller may not do this with it. */
export type PartitionCheck = (partition: string, streamOnBroker: string) => void

/** How a request publishes to a super stream. */
export type RoutedPublishOptions = Omit<RoutedOptions, 'check'> & { readonly check: PartitionCheck }

/** A partition of a super stream, under both names. */
export type Partition = NamedStream

/** Creates, lists, describes and deletes super streams, and publishes to them. Names are the API's. */
export class SuperStreamsPort {
  readonly #options: SuperStreamsPortOptions

  constructor (options: SuperStreamsPortOptions) {
    this.#options = options
  }

  /**
   * The names of the super streams in ascending order, one page at a time.
   *
   * @param allows whether the caller may read or write the super stream
   * @throws StreamsError `management_not_configured`, `management_unavailable`
   */
  async list (query: PageQuery, allows: StreamFilter): Promise<SuperStreamPage> {
    const { management, names, permissions } = this.#options
    if (management === undefined) {
      throw new StreamsError(
        'management_not_configured',
        'super streams can only be listed through the management API; set RABBITMQ_MANAGEMENT_URL'
      )
    }
    const all = (await listSuperStreamNames(management)).filter(allows).flatMap((brokerName): NamedStream[] => {
      const name = names.fromBroker(brokerName)
      return name === undefined ? [] : [{ name, brokerName }]
    })
    const { streams, nextCursor } = await pageOf(all, query, async (named) => {
      if (permissions === undefined) return named
      const known = new Set(await permissions.known(named.map(({ brokerName }) => brokerName)))
      return named.filter(({ brokerName }) => known.has(brokerName))
    })
    return { superStreams: streams, nextCursor }
  }

  /**
   * Creates the super stream, unless it is there with the same partitions. Arguments that are not given are not
   * compared.
   *
   * @param check may refuse a partition
   * @returns the names of the partitions, in their order
   * @throws StreamsError `super_stream_differs`, `stream_arguments_differ`, `invalid_argument`, ...
   */
  async create (
    superStream: string, bindingKeys: readonly string[], args: StreamArguments, check: PartitionCheck
  ): Promise<{ outcome: 'created' | 'exists', partitions: string[] }> {
    const { names, admin } = this.#options
    const brokerName = names.toBroker(superStream)
    const partitions = bindingKeys.map((key) => `${superStream}-${key}`)
    const streams = partitions.map((name) => names.toBroker(name))
    for (const [index, stream] of streams.entries()) check(partitions[index] ?? stream, stream)
    const existing = await admin.create({ superStream: brokerName, partitions: streams, bindingKeys, args })
    this.#options.publishing.forget(brokerName)
    return existing === undefined
      ? { outcome: 'created', partitions }
      : { outcome: 'exists', partitions: existing.map((stream) => names.fromBroker(stream) ?? stream) }
  }

  /**
   * @param check may refuse a partition
   * @throws StreamsError `super_stream_not_found`, ...
   */
  async describe (
    superStream: string, check: PartitionCheck
  ): Promise<Array<{ partition: string } & Omit<PartitionDescription, 'stream'>>> {
    const { names, view } = this.#options
    const partitions = await this.partitions(superStream, 'read', check)
    const descriptions = await view.describe(
      names.toBroker(superStream),
      partitions.map(({ brokerName }) => brokerName),
      (stream) => (names.fromBroker(stream) ?? stream).slice(superStream.length + 1)
    )
    return descriptions.map(({ stream, ...description }) => {
      return { partition: names.fromBroker(stream) ?? stream, ...description }
    })
  }

  /**
   * The partitions in the order of the broker, at least one. They are known for a minute.
   *
   * @param check may refuse a partition
   * @throws StreamsError `super_stream_not_found`, `access_refused`, ...
   */
  async partitions (superStream: string, use: UseOfPartitions, check: PartitionCheck): Promise<Partition[]> {
    const { names, lists } = this.#options
    const { partitions } = await lists.of(names.toBroker(superStream), use)
    return partitions.map((brokerName) => {
      const name = this.#apiName(brokerName)
      check(name, brokerName)
      return { name, brokerName }
    })
  }

  /** Another process may have created or deleted it, or a partition: the broker is asked again. */
  forget (superStream: string): void {
    this.#options.lists.forget(this.#options.names.toBroker(superStream))
  }

  /**
   * Deletes the super stream with all its partitions.
   *
   * @param check may refuse a partition
   * @throws StreamsError `super_stream_not_found`, ...
   */
  async delete (superStream: string, check: PartitionCheck): Promise<void> {
    const { names, admin, whenDeleted } = this.#options
    const deleted = await admin.delete(names.toBroker(superStream), (partitions) => {
      for (const stream of partitions) check(names.fromBroker(stream) ?? stream, stream)
    })
    this.#options.publishing.forget(names.toBroker(superStream))
    for (const partition of deleted) whenDeleted(partition)
  }

  /**
   * Publishes a batch. Settles when every message has its outcome.
   *
   * @throws StreamsError when nothing was sent
   */
  async publish (superStream: string, batch: MessageBatch, options: RoutedPublishOptions): Promise<PublishResult> {
    const session = this.#session(superStream, options, false)
    try {
      await session.write(batch)
    } catch (error) {
      await session.finish()
      throw error
    }
    return await session.finish()
  }

  /** Begins a request whose messages come piece by piece. The caller has to call `finish`. */
  open (superStream: string, options: RoutedPublishOptions): StreamedSession {
    return this.#session(superStream, options, true)
  }

  #session (superStream: string, options: RoutedPublishOptions, isStreamed: boolean): StreamedSession {
    const { names, publishing, directory } = this.#options
    const { publisher, check } = options
    if (publisher !== undefined) refuseBadReference('publisher', publisher)
    const session = publishing.session(names.toBroker(superStream), {
      ...options,
      check: (partitions) => {
        for (const stream of partitions) {
          check(this.#apiName(stream), stream)
          if (publisher !== undefined) directory.sawPublisher(stream, publisher)
        }
      }
    }, isStreamed)
    return {
      write: async (batch) => { await session.write(batch) },
      flush: async () => { await session.flush() },
      finish: async () => {
        const { partitions = {}, ...result } = await session.finish()
        const named = Object.entries(partitions).map(([stream, count]) => [this.#apiName(stream), count] as const)
        return { ...result, partitions: Object.fromEntries(named) }
      }
    }
  }

  // Another tool may have made it, under a pattern with something after the name.
  #apiName (partition: string): string {
    const name = this.#options.names.fromBroker(partition)
    if (name === undefined) throw notOfTheApi()
    return name
  }
}

function notOfTheApi (): StreamsError {
  const message = 'the partitions of the super stream have names that STREAM_NAME_PATTERN of the gateway does not cover'
  return new StreamsError('super_stream_not_found', message)
}
