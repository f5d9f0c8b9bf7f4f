import { administration } from './administration.ts'
import type { BrokerOptions } from './broker-options.ts'
import type { BrokerStats } from './broker-stats.ts'
import { askStatus, type BrokerStatus } from './broker-status.ts'
import { refusalOf } from './connections/connect-error.ts'
import { ConnectionPool } from './connections/connection-pool.ts'
import { ActiveConsumers } from './consuming/active-consumers.ts'
import { ConsumerOffsets } from './consuming/consumer-offsets.ts'
import { OffsetStore } from './consuming/offset-store.ts'
import { ConsumerPolls } from './consuming/consumer-polls.ts'
import { Directory } from './directory/directory.ts'
import { hasPermissions } from './management/user-permissions.ts'
import { askManagement, type ManagementFault } from './management/management-fault.ts'
import { ConsumersPort } from './ports/consumers-port.ts'
import { MergedPorts } from './ports/merged-ports.ts'
import { PublishingPort } from './ports/publishing-port.ts'
import { ReadingPort } from './ports/reading-port.ts'
import type { StreamsPort } from './ports/streams-port.ts'
import type { SuperStreamsPort } from './ports/super-streams-port.ts'
import { PublisherPool } from './publishing/publisher-pool.ts'
import { ReaderPool } from './reading/reader-pool.ts'
import { Follows } from './reading/follows.ts'
import { Polls } from './reading/polls.ts'
import { Sampling } from './sampling/sampling.ts'
import { Locator } from './topology/locator.ts'
import { PartitionLists } from './topology/partition-lists.ts'
import { Permissions, type Purpose } from './topology/permissions.ts'
import { StreamEnds } from './topology/stream-ends.ts'
import { SuperStreams } from './topology/super-streams.ts'
import { StreamNames } from './topology/stream-names.ts'

/**
 * RabbitMQ streams, in seven ports. Names are the API's, offsets are numbers, and everything that can go wrong is a
 * `StreamsError`. A broker connects when it is first asked for something, and again whenever it has to.
 */
export class Broker {
  readonly streams: StreamsPort
  readonly superStreams: SuperStreamsPort
  readonly publishing: PublishingPort
  readonly reading: ReadingPort
  readonly consumers: ConsumersPort
  readonly merged: MergedPorts
  readonly sampling: Sampling
  readonly #options: BrokerOptions
  readonly #connections: ConnectionPool
  readonly #publishers: PublisherPool
  readonly #readers: ReaderPool
  readonly #members: ActiveConsumers
  readonly #polls: Polls
  readonly #follows: Follows
  readonly #offsets: OffsetStore
  readonly #permissions: Permissions
  #retiredMs: number | undefined

  constructor (options: BrokerOptions) {
    const { connection, logger, shared, management, caller } = options
    const names = new StreamNames(options.streamNamePattern, options.hiddenStreamPrefix)
    const { hosts, addressMode, reconnectDelayMs, maxReconnectDelayMs, connectionIdleMs, ...open } = connection
    const reconnect = { reconnectDelayMs, maxReconnectDelayMs }
    const { dialing, compressor, traffic } = shared
    const { readBudget: budget, readers: cap, expansions } = options.reads ?? shared.reads
    const dial = { hosts, addressMode, ...reconnect, connectionIdleMs, open, dialing, logger, caller }
    const connections = new ConnectionPool(dial)
    this.#permissions = new Permissions(connections)
    const permissions = caller && this.#permissions
    const superStreams = new SuperStreams(connections, names, permissions)
    const locator = new Locator(connections, superStreams, permissions)
    const lists = new PartitionLists(connections, superStreams, permissions)
    const ends = new StreamEnds(connections, locator)
    const openTimeoutMs = Math.min(connection.requestTimeoutMs, options.publishing.confirmTimeoutMs)
    const publisher = { connections, locator, ...reconnect, openTimeoutMs }
    const { publishBudget, publishers: publisherCap } = shared
    const publishers = new PublisherPool({
      budget: publishBudget, cap: publisherCap, compressor, traffic, publisher, limits: options.publishing
    })
    const readers = new ReaderPool({ budget, cap, expansions, connections, locator, ends, limits: options.reading })
    const polls = new Polls(readers, ends, traffic)
    const follows = new Follows(readers, ends, polls)
    this.#offsets = new OffsetStore(connections, ends)
    const offsets = new ConsumerOffsets({ store: this.#offsets, ends, polls, readers })
    const directory = new Directory({ connections, ends, offsets, management, logger })
    const topology = { connections, names, locator, superStreams, lists, ends, publishers, directory }
    const ports = administration(topology, options, permissions, (stream) => {
      follows.drop(stream) // the broker's own word of it takes a moment, in which a window would still answer
      offsets.forget(stream)
      directory.forget(stream)
    })
    this.streams = ports.streams
    this.superStreams = ports.superStreams
    this.publishing = new PublishingPort({ names, publishers, directory })
    this.reading = new ReadingPort({ names, polls, follows })
    const members = new ActiveConsumers({ connections, locator, superStreams, offsets, polls, follows, reconnect })
    this.merged = new MergedPorts({ ...topology, polls, offsets, follows, members })
    this.consumers =
      new ConsumersPort({ names, offsets, polls: new ConsumerPolls(polls, offsets), follows, members, directory })
    this.sampling = new Sampling({ names, ends, offsets, members, management, traffic, logger })
    this.#options = options
    this.#connections = connections
    this.#publishers = publishers
    this.#readers = readers
    this.#members = members
    this.#polls = polls
    this.#follows = follows
  }

  /** Whether the broker answers now; connects if need be. Never throws, and takes at most two seconds. */
  async status (): Promise<BrokerStatus> {
    return await askStatus(this.#connections)
  }

  /** Why the management API cannot be used; undefined when it can, or when no setting names it. Never throws. */
  async managementFault (): Promise<ManagementFault | undefined> {
    const { management } = this.#options
    return management === undefined ? undefined : await askManagement(management)
  }

  stats (): BrokerStats {
    const { open, opened, lost } = this.#connections.counts
    const { confirmed, duplicates, failed, unknown } = this.#publishers.totals
    return {
      connections: open,
      publishers: this.#publishers.size,
      readers: this.#readers.size,
      activeConsumerMembers: this.#members.size,
      publishBudgetUsedBytes: this.#options.shared.publishBudget.usedBytes,
      readBudgetUsedBytes: (this.#options.reads ?? this.#options.shared.reads).readBudget.usedBytes,
      messagesConfirmed: confirmed,
      messagesDuplicate: duplicates,
      messagesFailed: failed,
      messagesUnknown: unknown,
      messagesRead: this.#polls.messagesAnswered,
      offsetsStored: this.#offsets.storedCount,
      connectionsOpened: opened,
      connectionsLost: lost
    }
  }

  /** From now on nothing new is published, and polls no longer wait. */
  drain (): void {
    this.#publishers.drain()
    this.#polls.drain()
  }

  /**
   * Opens a new connection, which shows that the broker accepts the credentials now. Requests use it from then on.
   *
   * @throws StreamsError when it cannot be opened: see `refusalOf`
   */
  async login (): Promise<void> {
    try {
      await this.#connections.renew('streams')
    } catch (error) {
      // The broker tells no difference between a virtual host that is closed to the user and one connection too many.
      if (refusalOf(error) !== 'virtual_host' || this.#connections.counts.open === 0) throw error
      await this.#connections.end('streams')
      await this.#connections.renew('streams')
    }
  }

  /**
   * After the virtual host was refused: whether that is for a limit on connections. False also when the management API
   * cannot tell, because the broker says the same to a user without permissions.
   */
  async isAtConnectionLimit (user: string): Promise<boolean> {
    const { management } = this.#options
    return management !== undefined && user !== '' && await hasPermissions(management, user) === true
  }

  /** Asks again whether its user may do what it does, and ends what the user may no longer do. */
  async recheck (): Promise<void> {
    const refused = async (purpose: Purpose, stream: string): Promise<boolean> => {
      return await this.#permissions.may(purpose, stream).then((may) => !may, () => false) // asked again next time
    }
    await Promise.all([
      ...[...this.#readers.streams].map(async (stream) => {
        if (await refused('read', stream)) this.#readers.drop(stream)
      }),
      ...[...this.#members.streams].map(async (stream) => {
        if (await refused('read', stream)) this.#members.refuse(stream)
      }),
      ...[...this.#publishers.streams].map(async (stream) => {
        if (await refused('write', stream)) this.#publishers.refuse(stream)
      })
    ])
  }

  /** Whether a request reads or publishes at the moment, or waits to become the active consumer. */
  get isInUse (): boolean {
    return this.#readers.isInUse || this.#follows.isInUse || this.#publishers.isInUse ||
      this.#members.size > 0
  }

  /** No new requests are to be expected: what is not in use is closed soon. Requests that are under way continue. */
  retire (): void {
    this.#retiredMs ??= performance.now()
  }

  /** When it was retired, by performance.now(). */
  get retiredMs (): number | undefined {
    return this.#retiredMs
  }

  /** Ends everything, in the reverse order of how it was built. Calling it twice is fine. */
  async close (): Promise<void> {
    this.drain()
    this.#members.close()
    this.#readers.close()
    this.#publishers.close()
    await this.#connections.close()
  }

  /** Closes what was not used for a while. To be called every second or so. */
  sweep (): void {
    const isRetired = this.#retiredMs !== undefined
    this.#readers.sweep(isRetired)
    this.#publishers.sweep(isRetired)
    this.#connections.sweep(isRetired)
  }
}
