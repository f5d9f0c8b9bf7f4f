import { StreamsError } from '../errors.ts'
import type { ManagementClient } from '../management/management-client.ts'
import { listSuperStreamNames } from '../management/super-stream-listing.ts'
import type { PartitionLists, UseOfPartitions } from '../topology/partition-lists.ts'
import type { Permissions } from '../topology/permissions.ts'
import type { StreamArguments } from '../topology/stream-arguments.ts'
import { pageOf, type NamedStream, type PageQuery, type StreamFilter } from '../topology/stream-list.ts'
import type { StreamNames } from '../topology/stream-names.ts'
import type { SuperStreamAdmin } from '../topology/super-stream-admin.ts'
import type { PartitionDescription, SuperStreamView } from '../topology/super-stream-view.ts'

export interface SuperStreamsPortOptions {
  names: StreamNames
  admin: SuperStreamAdmin
  view: SuperStreamView
  lists: PartitionLists
  management: ManagementClient | undefined
  /** Of a caller's user: it is shown what RabbitMQ lets it read or write. */
  permissions?: Permissions | undefined
  /** Called with the broker's name of a partition that this process has just deleted. */
  whenDeleted: (stream: string) => void
}

export type SuperStreamPage = { superStreams: string[], nextCursor: string | null }

/** Looks at the broker's name of a partition, and throws when the caller may not do this with it. */
export type PartitionCheck = (partition: string, streamOnBroker: string) => void

/** A partition of a super stream, under both names. */
export type Partition = NamedStream

/** Creates, lists, describes and deletes super streams. Names are the API's. */
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
   * Creates the super stream, unless it is there with the same partitions.
   *
   * @param check may refuse a partition
   * @returns the names of the partitions, in their order
   * @throws StreamsError `super_stream_differs`, `invalid_argument`, ...
   */
  async create (
    superStream: string, bindingKeys: readonly string[], args: StreamArguments, check: PartitionCheck
  ): Promise<{ outcome: 'created' | 'exists', partitions: string[] }> {
    const { names, admin } = this.#options
    const brokerName = names.toBroker(superStream)
    const partitions = bindingKeys.map((key) => `${superStream}-${key}`)
    const streams = partitions.map((name) => names.toBroker(name))
    for (const [index, stream] of streams.entries()) check(partitions[index] ?? stream, stream)
    const outcome = await admin.create({ superStream: brokerName, partitions: streams, bindingKeys, args })
    return { outcome, partitions }
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
      const name = names.fromBroker(brokerName)
      // By another tool, under a pattern with something after the name.
      if (name === undefined) throw notOfTheApi()
      check(name, brokerName)
      return { name, brokerName }
    })
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
    for (const partition of deleted) whenDeleted(partition)
  }
}

function notOfTheApi (): StreamsError {
  const message = 'the partitions of the super stream have names that STREAM_NAME_PATTERN of the gateway does not cover'
  return new StreamsError('super_stream_not_found', message)
}
