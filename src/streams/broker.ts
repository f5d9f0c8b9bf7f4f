import type { BrokerOptions } from './broker-options.ts'
import type { BrokerStats } from './broker-stats.ts'
import { askStatus, type BrokerStatus } from './broker-status.ts'
import { ConnectionPool } from './connections/connection-pool.ts'
import { Locator } from './topology/locator.ts'
import { ConsumerOffsets, type ConsumerOffset, type Stored } from './consuming/consumer-offsets.ts'
import { ConsumerReads, type ConsumerReadRequest } from './consuming/consumer-reads.ts'
import { Directory, type ConsumerInfo, type PublisherInfo, type Sources } from './directory/directory.ts'
import { StreamsError } from './errors.ts'
import { ManagementClient } from './management/management-client.ts'
import { listStreamNames } from './management/stream-listing.ts'
import type { MessageBatch } from './message-batch.ts'
import type { Position } from './offset.ts'
import type { PublishResult } from './publishing/outcome.ts'
import { PublisherPool, type PublishOptions } from './publishing/publisher-pool.ts'
import type { PublishSession } from './publishing/publish-session.ts'
import type { ReadBatch, ReadMessage } from './reading/read-batch.ts'
import { ReaderPool } from './reading/reader-pool.ts'
import { Reads, type ReadRequest } from './reading/reads.ts'
import { StreamEnds } from './topology/stream-ends.ts'
import { StreamAdmin, type StreamDescription } from './topology/stream-admin.ts'
import type { StreamArguments } from './topology/stream-arguments.ts'
import { refuseBadReference, StreamNames } from './topology/stream-names.ts'

const SWEEP_INTERVAL_MS = 1000

/**
 * RabbitMQ streams: publish, read, keep offsets. Names are the API's, offsets are numbers, everything that can go wrong
 * is a `StreamsError`. It connects when it is first asked for something, and again whenever it has to.
 */
export class Broker {
  readonly #names: StreamNames
  readonly #connections: ConnectionPool
  readonly #ends: StreamEnds
  readonly #publishers: PublisherPool
  readonly #readers: ReaderPool
  readonly #reads: Reads
  readonly #offsets: ConsumerOffsets
  readonly #consumerReads: ConsumerReads
  readonly #directory: Directory
  readonly #admin: StreamAdmin
  readonly #management: ManagementClient | undefined
  readonly #sweeper: NodeJS.Timeout
  #messagesRead = 0

  constructor (options: BrokerOptions) {
    const { tls, authentication, virtualHost, client, management, logger } = options
    const { connectTimeoutMs, requestTimeoutMs, heartbeatSeconds, frameMaxBytes } = options
    this.#names = new StreamNames(options.streamNamePattern)
    const open = {
      ...(tls !== undefined && { tls }),
      ...(client !== undefined && { client }),
      authentication,
      virtualHost,
      frameMaxBytes,
      heartbeatSeconds,
      connectTimeoutMs,
      requestTimeoutMs
    }
    const connections = new ConnectionPool({ ...options, open })
    const locator = new Locator(connections)
    const ends = new StreamEnds(connections, locator)
    this.#management =
      management === undefined
        ? undefined
        : new ManagementClient({ ...management, virtualHost, timeoutMs: options.managementTimeoutMs })
    this.#connections = connections
    this.#ends = ends
    this.#publishers = new PublisherPool({
      ...options,
      connections,
      locator,
      openTimeoutMs: Math.min(options.requestTimeoutMs, options.confirmTimeoutMs)
    })
    this.#readers = new ReaderPool({ ...options, connections, locator, ends })
    this.#reads = new Reads(this.#readers, ends)
    this.#offsets = new ConsumerOffsets(connections, ends, this.#readers)
    this.#consumerReads = new ConsumerReads(this.#reads, this.#offsets)
    this.#directory = new Directory({ connections, ends, offsets: this.#offsets, management: this.#management, logger })
    this.#admin = new StreamAdmin({ connections, locator, ends, management: this.#management, logger })
    this.#sweeper = setInterval(() => { this.#sweep() }, SWEEP_INTERVAL_MS)
  }

  /**
   * The names of the streams, sorted, a page at a time.
   *
   * @param query `cursor`: the last name of the page before
   * @throws StreamsError `management_not_configured`, `management_unavailable`
   */
  async listStreams (query: {
    prefix?: string | undefined
    limit: number
    cursor?: string | undefined
  }): Promise<{ streams: string[], nextCursor: string | null }> {
    if (this.#management === undefined) {
      throw new StreamsError(
        'management_not_configured',
        'streams can only be listed through the management API; set RABBITMQ_MANAGEMENT_URL'
      )
    }
    const { prefix = '', limit, cursor } = query
    const names = (await listStreamNames(this.#management)).flatMap((name) => this.#names.fromBroker(name) ?? [])
      .filter((name) => name.startsWith(prefix) && (cursor === undefined || name > cursor))
      .sort()
    const streams = names.slice(0, limit)
    return { streams, nextCursor: names.length > limit ? streams.at(-1) ?? null : null }
  }

  /** @throws StreamsError `stream_arguments_differ`, `invalid_argument`, `access_refused`, ... */
  async createStream (stream: string, args: StreamArguments): Promise<'created' | 'exists'> {
    return await this.#admin.create(this.#names.toBroker(stream), args)
  }

  /** @throws StreamsError `stream_not_found`, ... */
  async describeStream (stream: string): Promise<StreamDescription & { name: string }> {
    return { name: stream, ...await this.#admin.describe(this.#names.toBroker(stream)) }
  }

  /** @throws StreamsError `stream_not_found`, ... */
  async deleteStream (stream: string): Promise<void> {
    const name = this.#names.toBroker(stream)
    await this.#admin.delete(name)
    this.#readers.drop(name) // the broker's own word of it takes a moment, in which a window would still answer
    this.#offsets.forget(name)
    this.#directory.forget(name)
  }

  /**
   * Publishes a batch and settles when every message has its outcome.
   *
   * @throws StreamsError when nothing was sent
   */
  async publish (stream: string, batch: MessageBatch, options: PublishOptions = {}): Promise<PublishResult> {
    const session = this.#session(stream, options, false)
    try {
      await session.write(batch)
    } catch (error) {
      await session.finish()
      throw error
    }
    return await session.finish()
  }

  /**
   * Holds room for messages that are still to be made, so that a publish is refused before that work and not after it.
   *
   * @returns gives the room back: call it right before `publish`, or when there will be none
   * @throws StreamsError `draining`, `overloaded`
   */
  reservePublish (bytes: number): () => void {
    return this.#publishers.reserve(bytes)
  }

  /** Begins a request whose messages come bit by bit. `finish` has to be called. */
  openPublish (stream: string, options: PublishOptions = {}): PublishSession {
    return this.#session(stream, options, true)
  }

  #session (stream: string, options: PublishOptions, isStreamed: boolean): PublishSession {
    const name = this.#names.toBroker(stream)
    if (options.publisher !== undefined) {
      refuseBadReference('publisher', options.publisher)
      this.#directory.sawPublisher(name, options.publisher)
    }
    return this.#publishers.session(name, options, isStreamed)
  }

  /**
   * Reads a batch. Give its memory back with `release`.
   *
   * @param signal the caller went away
   * @throws StreamsError `offset_out_of_range`, `stream_not_found`, `overloaded`, ...; the signal's reason
   */
  async read (stream: string, request: ReadRequest, signal: AbortSignal): Promise<ReadBatch> {
    return this.#counted(await this.#reads.read(this.#names.toBroker(stream), request, signal))
  }

  /**
   * The message at exactly this offset, and the batch of which it is the only one. Give its memory back with `release`.
   *
   * @throws StreamsError `message_not_found`, and as `read`
   */
  async readMessage (
    stream: string,
    offset: number,
    signal: AbortSignal
  ): Promise<{ message: ReadMessage, batch: ReadBatch }> {
    const found = await this.#reads.message(this.#names.toBroker(stream), offset, signal)
    this.#counted(found.batch)
    return found
  }

  /**
   * Reads on from where the consumer's stored offset says, or from `request.from` when it has none. What is held until
   * there is data goes on where the consumer is then, should it be reset meanwhile.
   *
   * @throws StreamsError as `read` and, with `commit`, as `storeOffset`
   */
  async readAsConsumer (
    stream: string,
    consumer: string,
    request: ConsumerReadRequest,
    signal: AbortSignal
  ): Promise<ReadBatch> {
    return this.#counted(await this.#consumerReads.read(this.#consumer(stream, consumer), consumer, request, signal))
  }

  /** @throws StreamsError `consumer_offset_not_found`, `stream_not_found`, ... */
  async storedOffset (stream: string, consumer: string): Promise<ConsumerOffset> {
    return await this.#offsets.describe(this.#consumer(stream, consumer), consumer)
  }

  /**
   * Stores "processed up to and including `offset`"; settles when a majority of the stream's members has it.
   *
   * @param expected refuse unless this is stored before; null: unless nothing is
   * @throws StreamsError `offset_goes_back`, `offset_beyond_end`, `expectation_failed`, `stream_not_found`, ...
   */
  async storeOffset (stream: string, consumer: string, offset: number, expected?: number | null): Promise<Stored> {
    return await this.#offsets.commit(this.#consumer(stream, consumer), consumer, offset, expected)
  }

  /**
   * Makes the position the next one to be delivered, on this and every other gateway, from the next read on; reads that
   * are held for data go on there. Not at once on another one that was told within the last minute that message 0 is
   * processed, and no other: see `ZeroCommits`.
   *
   * @throws StreamsError `offset_beyond_end`, `stream_not_found`, ...
   */
  async resetOffset (stream: string, consumer: string, to: Position): Promise<Stored> {
    const name = this.#consumer(stream, consumer)
    if (to.type === 'offset') {
      const { nextOffset } = await this.#ends.bounds(name)
      if (to.offset > nextOffset) {
        throw new StreamsError(
          'offset_beyond_end',
          `the stream has no offset ${to.offset} yet: its next offset is ${nextOffset}`,
          { details: { nextOffset } }
        )
      }
    }
    return await this.#offsets.reset(name, consumer, await this.#reads.resolve(name, to))
  }

  /** Every consumer known of the stream. @throws StreamsError `stream_not_found`, ... */
  async listConsumers (stream: string): Promise<{ consumers: ConsumerInfo[], sources: Sources }> {
    return await this.#directory.consumers(this.#names.toBroker(stream))
  }

  /** Every publisher name known of the stream. @throws StreamsError `stream_not_found`, ... */
  async listPublishers (stream: string): Promise<{ publishers: PublisherInfo[], sources: Sources }> {
    return await this.#directory.publishers(this.#names.toBroker(stream))
  }

  /**
   * A publisher's last publishing id; 0 also for a name that the broker does not know, which the protocol does not tell
   * apart.
   *
   * @throws StreamsError `stream_not_found`, ...
   */
  async publisher (stream: string, publisher: string): Promise<{ name: string, lastPublishingId: bigint }> {
    const name = this.#names.toBroker(stream)
    refuseBadReference('publisher', publisher)
    return { name: publisher, lastPublishingId: await this.#directory.lastPublishingId(name, publisher) }
  }

  /** Whether the broker answers, asked now, and connected to if need be. Never throws; takes at most two seconds. */
  async status (): Promise<BrokerStatus> {
    return await askStatus(this.#connections)
  }

  stats (): BrokerStats {
    const { open, opened, lost } = this.#connections.counts
    const { confirmed, duplicates, failed, unknown } = this.#publishers.totals
    return {
      connections: open,
      publishers: this.#publishers.size,
      readers: this.#readers.size,
      publishBudgetUsedBytes: this.#publishers.usedBytes,
      readBudgetUsedBytes: this.#readers.usedBytes,
      messagesConfirmed: confirmed,
      messagesDuplicate: duplicates,
      messagesFailed: failed,
      messagesUnknown: unknown,
      messagesRead: this.#messagesRead,
      offsetsStored: this.#offsets.storedCount,
      connectionsOpened: opened,
      connectionsLost: lost
    }
  }

  /** From now on nothing new is published, and polls do not wait any more. */
  drain (): void {
    this.#publishers.drain()
    this.#reads.drain()
  }

  /** Ends everything, in the reverse order of how it was built. Twice is fine. */
  async close (): Promise<void> {
    this.drain()
    clearInterval(this.#sweeper)
    this.#readers.close()
    this.#publishers.close()
    await this.#connections.close()
    await this.#management?.close()
  }

  #consumer (stream: string, consumer: string): string {
    const name = this.#names.toBroker(stream)
    refuseBadReference('consumer', consumer)
    this.#directory.sawConsumer(name, consumer)
    return name
  }

  #counted (batch: ReadBatch): ReadBatch {
    this.#messagesRead += batch.count
    return batch
  }

  #sweep (): void {
    this.#readers.sweep()
    this.#publishers.sweep()
    this.#connections.sweep()
  }
}
