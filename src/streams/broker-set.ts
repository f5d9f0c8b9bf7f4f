import type { BrokerOptions, BrokerSetOptions } from './broker-options.ts'
import type { BrokerStats } from './broker-stats.ts'
import { Broker } from './broker.ts'
import type { CallersPool } from './connections/connection-pool.ts'
import { ManagementClient } from './management/management-client.ts'
import { ReadShare, Shared, type ReadLimits } from './shared.ts'

const SWEEP_INTERVAL_MS = 1000
const ANY_NAME = '{name}'

/** A user of RabbitMQ. With an OAuth 2 token as the password the name is empty. */
export interface Credentials { readonly username: string, readonly password: string }

export interface InternalBrokerOptions {
  /** Of its connections, when they need another one than the rest. */
  readonly heartbeatSeconds?: number
  /** Whose names of streams it takes: the API's, or the broker's, for streams that the API does not show. */
  readonly names: 'api' | 'broker'
  /**
   * Of its readers, so that they take nothing from those of requests; undefined: they share with them. `windowBytes` is
   * what one of them holds in advance.
   */
  readonly reads?: Pick<ReadLimits, 'maxReaders' | 'readBudgetBytes'> & { readonly windowBytes: number }
}

/**
 * All brokers of the process: the gateway's own, and one for each caller whom RabbitMQ itself is to judge. They share
 * limits and nothing else: what one of them knows or holds in memory does not reach another.
 */
export class BrokerSet {
  /** With the account of the gateway. */
  readonly own: Broker
  readonly #options: Omit<BrokerOptions, 'caller'>
  readonly #callers = new Set<Broker>()
  readonly #internal = new Set<Broker>()
  readonly #ending = new WeakSet<Broker>()
  readonly #shares = new Set<ReadShare>()
  readonly #maxExpandedSubEntryBytes: number
  readonly #sweeper: NodeJS.Timeout
  /** The counters of the brokers that are closed. */
  #past: readonly BrokerStats[] = []

  constructor ({ limits, management, ...common }: BrokerSetOptions) {
    const { virtualHost } = common.connection
    const client = management && new ManagementClient({ ...management, virtualHost })
    this.#options = { ...common, shared: new Shared(limits), management: client }
    this.#maxExpandedSubEntryBytes = limits.maxExpandedSubEntryBytes
    this.own = new Broker(this.#options)
    this.#sweeper = setInterval(() => { this.#sweep() }, SWEEP_INTERVAL_MS)
  }

  /** A broker with the credentials of a caller. Close it by `end`. */
  openFor ({ username, password }: Credentials, caller: CallersPool): Broker {
    const { connection } = this.#options
    const authentication = { mechanism: 'PLAIN', username, password } as const
    const broker = new Broker({ ...this.#options, connection: { ...connection, authentication }, caller })
    this.#callers.add(broker)
    return broker
  }

  /**
   * A broker with the account of the gateway, for work of the gateway itself. `drain` leaves it alone, so that what is
   * under way can be brought to its end. It is closed with the set.
   */
  openInternal ({ heartbeatSeconds, names, reads }: InternalBrokerOptions): Broker {
    const { connection, ...options } = this.#options
    const broker = new Broker({
      ...options,
      connection: { ...connection, ...(heartbeatSeconds !== undefined && { heartbeatSeconds }) },
      ...(reads !== undefined && this.#ownReads(reads)),
      ...(names === 'broker' && { streamNamePattern: ANY_NAME, hiddenStreamPrefix: undefined })
    })
    this.#internal.add(broker)
    return broker
  }

  #ownReads ({ windowBytes, ...limits }: NonNullable<InternalBrokerOptions['reads']>) {
    const reads = new ReadShare({ ...limits, maxExpandedSubEntryBytes: this.#maxExpandedSubEntryBytes })
    this.#shares.add(reads)
    const { reading } = this.#options
    return { reads, reading: { ...reading, readerWindowBytes: Math.min(windowBytes, reading.readerWindowBytes) } }
  }

  /** Closes the broker of a caller. */
  async end (broker: Broker): Promise<void> {
    if (!this.#callers.has(broker) || this.#ending.has(broker)) return
    this.#ending.add(broker)
    await broker.close()
    // In one step: counters must not go back while it closes.
    this.#callers.delete(broker)
    this.#past = [sumOf([...this.#past, withoutGauges(broker.stats())])]
  }

  stats (): BrokerStats {
    const { publishBudget, reads } = this.#options.shared
    const shares = [reads, ...this.#shares]
    const all = this.#all.map((broker) => broker.stats())
    return {
      ...sumOf([...all, ...this.#past]),
      publishBudgetUsedBytes: publishBudget.usedBytes,
      readBudgetUsedBytes: shares.reduce((sum, { readBudget }) => sum + readBudget.usedBytes, 0)
    }
  }

  /** From now on nothing new is published for requests, and polls no longer wait. */
  drain (): void {
    for (const broker of [this.own, ...this.#callers]) broker.drain()
  }

  /** Ends everything. Calling it twice is fine. */
  async close (): Promise<void> {
    clearInterval(this.#sweeper)
    await Promise.all(this.#all.map(async (broker) => { await broker.close() }))
    await Promise.all([this.#options.shared, ...this.#shares].map(async (shared) => { await shared.close() }))
    await this.#options.management?.close()
  }

  get #all (): Broker[] {
    return [this.own, ...this.#internal, ...this.#callers]
  }

  #sweep (): void {
    for (const broker of this.#all) broker.sweep()
  }
}

function withoutGauges (stats: BrokerStats): BrokerStats {
  return { ...stats, connections: 0, publishers: 0, readers: 0, activeConsumerMembers: 0 }
}

function sumOf (all: readonly BrokerStats[]): BrokerStats {
  return all.reduce((sum, stats) => ({
    connections: sum.connections + stats.connections,
    publishers: sum.publishers + stats.publishers,
    readers: sum.readers + stats.readers,
    activeConsumerMembers: sum.activeConsumerMembers + stats.activeConsumerMembers,
    publishBudgetUsedBytes: 0,
    readBudgetUsedBytes: 0,
    messagesConfirmed: sum.messagesConfirmed + stats.messagesConfirmed,
    messagesDuplicate: sum.messagesDuplicate + stats.messagesDuplicate,
    messagesFailed: sum.messagesFailed + stats.messagesFailed,
    messagesUnknown: sum.messagesUnknown + stats.messagesUnknown,
    messagesRead: sum.messagesRead + stats.messagesRead,
    offsetsStored: sum.offsetsStored + stats.offsetsStored,
    connectionsOpened: sum.connectionsOpened + stats.connectionsOpened,
    connectionsLost: sum.connectionsLost + stats.connectionsLost
  }))
}
