import { StreamsError } from '../errors.ts'
import { listStreamNames } from '../management/stream-listing.ts'
import type { ManagementClient } from '../management/management-client.ts'
import type { CreatedStream, StreamAdmin, StreamDescription } from '../topology/stream-admin.ts'
import type { Bounds } from '../topology/stream-ends.ts'
import type { Permissions, Purpose } from '../topology/permissions.ts'
import type { StreamArguments } from '../topology/stream-arguments.ts'
import { pageOf, type NamedStream, type NamePage, type PageQuery, type StreamFilter } from '../topology/stream-list.ts'
import type { StreamNames } from '../topology/stream-names.ts'

export interface StreamsPortOptions {
  names: StreamNames
  admin: StreamAdmin
  management: ManagementClient | undefined
  /** Of a caller's user: it is shown what RabbitMQ lets it read or write. */
  permissions?: Permissions | undefined
  /** Called with the broker's name of a stream that this process has just deleted. */
  whenDeleted: (stream: string) => void
}

/** Creates, lists, describes and deletes streams. Names are the API's. */
export class StreamsPort {
  readonly #options: StreamsPortOptions

  constructor (options: StreamsPortOptions) {
    this.#options = options
  }

  /**
   * The names of the streams in ascending order, one page at a time.
   *
   * @param allows whether the caller may read or write the stream
   * @throws StreamsError `management_not_configured`, `management_unavailable`
   */
  async list (query: PageQuery, allows: StreamFilter = () => true): Promise<NamePage> {
    const { management, names, permissions } = this.#options
    if (management === undefined) {
      throw new StreamsError(
        'management_not_configured',
        'streams can only be listed through the management API; set RABBITMQ_MANAGEMENT_URL'
      )
    }
    const all = (await listStreamNames(management)).filter(allows).flatMap((brokerName): NamedStream[] => {
      const name = names.fromBroker(brokerName)
      return name === undefined ? [] : [{ name, brokerName }]
    })
    return await pageOf(all, query, async (streams) => {
      if (permissions === undefined) return streams
      const known = new Set(await permissions.known(streams.map(({ brokerName }) => brokerName)))
      return streams.filter(({ brokerName }) => known.has(brokerName))
    })
  }

  /** The broker's name of a stream. @throws StreamsError `invalid_argument` */
  nameOnBroker (stream: string): string {
    return this.#options.names.toBroker(stream)
  }

  /**
   * Whether RabbitMQ lets the caller's user read the stream or publish to it, also when there is no such stream. Always
   * true with the account of the gateway.
   *
   * @throws StreamsError
   */
  async may (purpose: Purpose, stream: string): Promise<boolean> {
    const { names, permissions } = this.#options
    return permissions === undefined || await permissions.may(purpose, names.toBroker(stream))
  }

  /** @throws StreamsError `stream_arguments_differ`, `super_stream_exists`, `invalid_argument`, ... */
  async create (stream: string, args: StreamArguments): Promise<CreatedStream> {
    return await this.#options.admin.create(this.#options.names.toBroker(stream), args)
  }

  /** @throws StreamsError `stream_not_found`, ... */
  async describe (stream: string): Promise<StreamDescription & { name: string }> {
    return { name: stream, ...await this.#options.admin.describe(this.#options.names.toBroker(stream)) }
  }

  /** Where it begins and ends. @throws StreamsError `stream_not_found`, `stream_not_available`, ... */
  async bounds (stream: string): Promise<Bounds> {
    return await this.#options.admin.bounds(this.#options.names.toBroker(stream))
  }

  /**
   * @param mayBePartition delete it also when it is a partition of a super stream
   * @throws StreamsError `stream_not_found`, `stream_is_partition`, ...
   */
  async delete (stream: string, mayBePartition = false): Promise<void> {
    const { admin, names, whenDeleted } = this.#options
    const name = names.toBroker(stream)
    await admin.delete(name, mayBePartition)
    whenDeleted(name)
  }
}
