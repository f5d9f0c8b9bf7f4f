import { classify } from '../classify.ts'
import type { ConnectionPool } from '../connections/connection-pool.ts'
import { MAX_OFFSET } from '../offset.ts'
import type { ManagementClient, SourceState } from '../management/management-client.ts'
import { listLivePublishers, listSubscriptions, listTracking, type LiveLink } from '../management/stream-listing.ts'
import type { Logger } from '../common/logger.ts'
import type { StreamEnds } from '../topology/stream-ends.ts'
import type { ConsumerOffsets } from '../consuming/consumer-offsets.ts'
import { OffsetViews, type OffsetState } from '../consuming/offset-view.ts'
import { SAMPLER_GROUP } from '../consuming/sampler-group.ts'
import { ConsumerActivity } from './consumer-activity.ts'
import { KnownNames } from './known-names.ts'

/**
 * `ok`: the source answered. Without the management API a list is partial: it has only the names that were used through
 * this process.
 */
export interface Sources { readonly management: SourceState, readonly instance: 'ok' }

export interface ConsumerInfo {
  readonly name: string
  /** Null when no offset is stored: a consumer that has only read so far. */
  readonly storedOffset: bigint | null
  readonly nextOffset: bigint | null
  readonly state: OffsetState | 'nothing_stored'
  readonly lag: bigint | null
  readonly subscriptions: readonly SubscriptionInfo[]
  /** When it read last through this process, ISO 8601; null when that is not known. */
  readonly lastReadAt: string | null
  /** The same of its last commit. */
  readonly lastCommitAt: string | null
}

/** The client of a subscription or publisher. A member is null when the gateway does not know it. */
export interface ConnectionInfo {
  readonly host: string | null
  readonly connectionName: string | null
  /** ISO 8601, UTC. */
  readonly connectedAt: string | null
}

export interface SubscriptionInfo extends ConnectionInfo {
  active: boolean
  offset: number | null
  offsetLag: number | null
}

export interface PublisherInfo {
  readonly name: string
  /** Null when the broker has none for a name that is in use. */
  readonly lastPublishingId: bigint | null
  readonly connections: readonly ConnectionInfo[]
}

export interface DirectoryOptions {
  connections: ConnectionPool
  ends: StreamEnds
  offsets: ConsumerOffsets
  management: ManagementClient | undefined
  logger: Logger
}

interface Asked {
  readonly source: SourceState
  readonly kept: ReadonlyMap<string, number>
  readonly live: readonly LiveLink[]
}

const NOTHING_STORED = { state: 'nothing_stored', lag: null } as const

/**
 * Lists consumers and publishers from three sources: what the broker stores, the live connections, and the names that
 * this process has seen.
 */
export class Directory {
  readonly #options: DirectoryOptions
  readonly #consumerNames = new KnownNames()
  readonly #publisherNames = new KnownNames()
  readonly #activity = new ConsumerActivity()

  constructor (options: DirectoryOptions) {
    this.#options = options
  }

  sawConsumer (stream: string, name: string): void {
    this.#consumerNames.add(stream, name)
  }

  sawPublisher (stream: string, name: string): void {
    this.#publisherNames.add(stream, name)
  }

  /** A read of the consumer begins. */
  noteRead (stream: string, name: string): void {
    this.#activity.noteRead(stream, name)
  }

  /** The consumer has stored an offset. */
  noteCommit (stream: string, name: string): void {
    this.#activity.noteCommit(stream, name)
  }

  forget (stream: string): void {
    this.#activity.forget(stream)
    this.#consumerNames.forget(stream)
    this.#publisherNames.forget(stream)
  }

  /** @throws StreamsError `stream_not_found`, ... */
  async consumers (stream: string): Promise<{ consumers: ConsumerInfo[], sources: Sources }> {
    const { offsets, ends } = this.#options
    const lastOffset = await ends.lastMessage(stream)
    const { source, kept, live } = await this.#ask('offset', stream, listSubscriptions)
    const views = new OffsetViews(stream, ends, lastOffset)
    const names = new Set([...kept.keys(), ...namesOf(live), ...this.#consumerNames.of(stream)])
    names.delete(SAMPLER_GROUP)
    const consumers = await inBatches([...names].sort(), async (name): Promise<ConsumerInfo | undefined> => {
      const storedOffset = exact(kept.get(name)) ?? await offsets.find(stream, name)
      const subscriptions = live.filter((link) => link.name === name)
      const activity = this.#activity.of(stream, name)
      const isInUse = subscriptions.length > 0 || activity?.lastReadMs !== undefined
      if (storedOffset === undefined && !isInUse) return undefined
      const nextOffset = storedOffset === undefined ? undefined : offsets.nextOffsetOf(stream, name, storedOffset)
      return {
        name,
        storedOffset: storedOffset ?? null,
        nextOffset: nextOffset ?? null,
        ...(nextOffset === undefined ? NOTHING_STORED : await views.of(nextOffset)),
        subscriptions: subscriptions.map(subscriptionInfo),
        lastReadAt: timeText(activity?.lastReadMs),
        lastCommitAt: timeText(activity?.lastCommitMs)
      }
    })
    return { consumers, sources: { management: source, instance: 'ok' } }
  }

  /** @throws StreamsError `stream_not_found`, ... */
  async publishers (stream: string): Promise<{ publishers: PublisherInfo[], sources: Sources }> {
    // Throws for an unknown stream, which would otherwise look like a stream without publishers.
    await this.#options.ends.firstOffset(stream)
    const { source, kept, live } = await this.#ask('writer', stream, listLivePublishers)
    const names = new Set([...kept.keys(), ...namesOf(live), ...this.#publisherNames.of(stream)])
    const publishers = await inBatches([...names].sort(), async (name): Promise<PublisherInfo | undefined> => {
      const links = live.filter((link) => link.name === name)
      const connections = links.map(connectionInfo)
      const lastId = exact(kept.get(name)) ?? await this.lastPublishingId(stream, name)
      if (lastId !== 0n || kept.has(name)) return { name, lastPublishingId: lastId, connections }
      return links.length === 0 ? undefined : { name, lastPublishingId: null, connections }
    })
    return { publishers, sources: { management: source, instance: 'ok' } }
  }

  /**
   * The highest publishing id that the broker has seen from the publisher. 0 also for a name that it does not know: the
   * protocol does not distinguish the two.
   *
   * @throws StreamsError `stream_not_found`, ...
   */
  async lastPublishingId (stream: string, publisher: string): Promise<bigint> {
    try {
      return await this.#options.connections.ask('offsets', stream, async (connection) => {
        return await connection.queryPublisherSequence(publisher, stream)
      })
    } catch (error) {
      throw classify(error)
    }
  }

  async #ask (type: 'offset' | 'writer', stream: string, listLive: typeof listSubscriptions): Promise<Asked> {
    const { management, logger } = this.#options
    if (management === undefined) return { source: 'not_configured', kept: new Map(), live: [] }
    try {
      const [kept, live] = await Promise.all([listTracking(management, stream, type), listLive(management, stream)])
      return { source: 'ok', kept, live }
    } catch (error) {
      logger.warn({ err: error }, 'the management API could not be asked: the list is a partial one')
      return { source: 'failed', kept: new Map(), live: [] }
    }
  }
}

function subscriptionInfo (link: LiveLink): SubscriptionInfo {
  const { isActive, offset, offsetLag } = link
  return { active: isActive, ...connectionInfo(link), offset: offset ?? null, offsetLag: offsetLag ?? null }
}

function connectionInfo ({ host, connectionName, connectedAtMs }: LiveLink): ConnectionInfo {
  return { host: host ?? null, connectionName: connectionName ?? null, connectedAt: timeText(connectedAtMs) }
}

function timeText (ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString()
}

function namesOf (links: readonly LiveLink[]): string[] {
  return links.flatMap(({ name }) => name ?? [])
}

// The management API answers in JSON, where a number above 2^53 has lost its last digits. It is then queried again.
function exact (value: number | undefined): bigint | undefined {
  return value !== undefined && value <= MAX_OFFSET ? BigInt(value) : undefined
}

// Asks a limited number of questions at a time.
async function inBatches<T, R> (items: readonly T[], ask: (item: T) => Promise<R | undefined>): Promise<R[]> {
  const answers: R[] = []
  for (let at = 0; at < items.length; at += 50) {
    for (const answer of await Promise.all(items.slice(at, at + 50).map(ask))) {
      if (answer !== undefined) answers.push(answer)
    }
  }
  return answers
}
