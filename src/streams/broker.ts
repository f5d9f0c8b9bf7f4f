import type { BrokerOptions, Budgets } from './broker-options.ts'
import type { BrokerStats } from './broker-stats.ts'
import { askStatus, type BrokerStatus } from './broker-status.ts'
import { ConnectionPool } from './connections/connection-pool.ts'
import { ConsumerOffsets } from './consuming/consumer-offsets.ts'
import { OffsetStore } from './consuming/offset-store.ts'
import { ConsumerPolls } from './consuming/consumer-polls.ts'
import { Directory } from './directory/directory.ts'
import { ManagementClient } from './management/management-client.ts'
import { askManagement, type ManagementFault } from './management/management-fault.ts'
import { ConsumersPort } from './ports/consumers-port.ts'
import { PublishingPort } from './ports/publishing-port.ts'
import { ReadingPort } from './ports/reading-port.ts'
import { StreamsPort } from './ports/streams-port.ts'
import { PublisherPool } from './publishing/publisher-pool.ts'
import { ReaderPool } from './reading/reader-pool.ts'
import { Polls } from './reading/polls.ts'
import { Locator } from './topology/locator.ts'
import { StreamAdmin } from './topology/stream-admin.ts'
import { StreamEnds } from './topology/stream-ends.ts'
import { SuperStreams } from './topology/super-streams.ts'
import { StreamNames } from './topology/stream-names.ts'

const SWEEP_INTERVAL_MS = 1000

/**
 * RabbitMQ streams, in four ports. Names are the API's, offsets are numbers, and everything that can go wrong is a
 * `StreamsError`. A broker connects when it is first asked for something, and again whenever it has to.
 */
export class Broker {
  readonly streams: StreamsPort
  readonly publishing: PublishingPort
  readonly reading: ReadingPort
  readonly consumers: ConsumersPort
  readonly #budgets: Budgets
  readonly #connections: ConnectionPool
  readonly #publishers: PublisherPool
  readonly #readers: ReaderPool
  readonly #polls: Polls
  readonly #offsets: OffsetStore
  readonly #management: ManagementClient | undefined
  readonly #sweeper: NodeJS.Timeout

  constructor (options: BrokerOptions) {
    const { budgets, connection, logger } = options
    const names = new StreamNames(options.streamNamePattern)
    const { hosts, addressMode, reconnectDelayMs, maxReconnectDelayMs, connectionIdleMs, ...open } = connection
    const reconnect = { reconnectDelayMs, maxReconnectDelayMs }
    const connections = new ConnectionPool({ hosts, addressMode, ...reconnect, connectionIdleMs, open, logger })
    const superStreams = new SuperStreams(connections, names)
    const locator = new Locator(connections, superStreams)
    const ends = new StreamEnds(connections, locator)
    const management = managementOf(options)
    const openTimeoutMs = Math.min(connection.requestTimeoutMs, options.publishing.confirmTimeoutMs)
    const publisher = { connections, locator, ...reconnect, openTimeoutMs }
    const publishers = new PublisherPool({ budget: budgets.publish, publisher, limits: options.publishing })
    const readers = new ReaderPool({ budget: budgets.read, connections, locator, ends, limits: options.reading })
    const polls = new Polls(readers, ends)
    const store = new OffsetStore(connections, ends)
    const offsets = new ConsumerOffsets({ store, ends, polls, readers })
    const directory = new Directory({ connections, ends, offsets, management, logger })
    this.streams = new StreamsPort({
      names,
      admin: new StreamAdmin({ connections, locator, superStreams, ends, management, logger }),
      management,
      whenDeleted (stream) {
        readers.drop(stream) // the broker's own word of it takes a moment, in which a window would still answer
        offsets.forget(stream)
        directory.forget(stream)
      }
    })
    this.publishing = new PublishingPort({ names, publishers, directory })
    this.reading = new ReadingPort({ names, polls })
    this.consumers = new ConsumersPort({ names, offsets, polls: new ConsumerPolls(polls, offsets), directory })
    this.#budgets = budgets
    this.#connections = connections
    this.#publishers = publishers
    this.#readers = readers
    this.#polls = polls
    this.#offsets = store
    this.#management = management
    this.#sweeper = setInterval(() => { this.#sweep() }, SWEEP_INTERVAL_MS)
  }

  /** Whether the broker answers now; connects if need be. Never throws, and takes at most two seconds. */
  async status (): Promise<BrokerStatus> {
    return await askStatus(this.#connections)
  }

  /** Why the management API cannot be used; undefined when it can, or when no setting names it. Never throws. */
  async managementFault (): Promise<ManagementFault | undefined> {
    return this.#management === undefined ? undefined : await askManagement(this.#management)
  }

  stats (): BrokerStats {
    const { open, opened, lost } = this.#connections.counts
    const { confirmed, duplicates, failed, unknown } = this.#publishers.totals
    return {
      connections: open,
      publishers: this.#publishers.size,
      readers: this.#readers.size,
      publishBudgetUsedBytes: this.#budgets.publish.usedBytes,
      readBudgetUsedBytes: this.#budgets.read.usedBytes,
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

  /** Ends everything, in the reverse order of how it was built. Calling it twice is fine. */
  async close (): Promise<void> {
    this.drain()
    clearInterval(this.#sweeper)
    await this.#readers.close()
    this.#publishers.close()
    await this.#connections.close()
    await this.#management?.close()
  }

  #sweep (): void {
    this.#readers.sweep()
    this.#publishers.sweep()
    this.#connections.sweep()
  }
}

function managementOf ({ management, connection: { virtualHost } }: BrokerOptions): ManagementClient | undefined {
  return management === undefined ? undefined : new ManagementClient({ ...management, virtualHost })
}
