import type { ActiveConsumer } from '../consuming/active-consumer.ts'
import type { ActiveConsumers } from '../consuming/active-consumers.ts'
import type { ActiveFollow, ActiveFollowListener } from '../consuming/active-follow.ts'
import type { ConsumerOffset, ConsumerOffsets, Stored } from '../consuming/consumer-offsets.ts'
import type { ConsumerBatch } from '../consuming/commit-offset.ts'
import type { ConsumerReadRequest, ConsumerPolls } from '../consuming/consumer-polls.ts'
import type { ConsumerInfo, Directory, Sources } from '../directory/directory.ts'
import { ConsumerFollow } from '../consuming/consumer-follow.ts'
import { consumerStart } from '../consuming/consumer-start.ts'
import type { Position } from '../offset.ts'
import type { ReadFilter } from '../reading/filter.ts'
import type { Follows } from '../reading/follows.ts'
import type { FollowListener, LiveSource } from '../reading/live-source.ts'
import { refuseBadReference, type StreamNames } from '../topology/stream-names.ts'

export interface ConsumersPortOptions {
  names: StreamNames
  offsets: ConsumerOffsets
  polls: ConsumerPolls
  follows: Follows
  members: ActiveConsumers
  directory: Directory
}

/** What a client that follows a stream as a single active consumer wants. */
export interface ActiveFollowRequest {
  /** Where a consumer without a stored offset begins. */
  readonly from: Position
  /** Stores what the client has taken, while it is the active one. */
  readonly autoCommit: boolean
  /** Given: only the messages that it matches. */
  readonly filter: ReadFilter | undefined
}

/** What a client that follows a stream as a consumer wants. */
export interface ConsumerFollowRequest {
  /** Where to begin; undefined: where the consumer is. */
  readonly at: Position | undefined
  /** Where a consumer without a stored offset is. */
  readonly from: Position
  /** Stores what the client has taken. */
  readonly autoCommit: boolean
  /** Given: only the messages that it matches. */
  readonly filter: ReadFilter | undefined
}

/** As `FollowListener`. */
export interface ConsumerFollowListener extends FollowListener {
  /** The consumer was reset to this place. */
  moved: (nextOffset: number) => void
}

/** Reads as a consumer, and the offsets that the broker keeps for consumers. Names are the API's. */
export class ConsumersPort {
  readonly #options: ConsumersPortOptions

  constructor (options: ConsumersPortOptions) {
    this.#options = options
  }

  /**
   * Reads on from the consumer's stored offset, or from `request.from` when none is stored; unless that is `first`, it
   * is stored as a reset to it would be, before the read. A read that is held for data resumes where the consumer is by
   * then, also when it was reset meanwhile.
   *
   * @throws StreamsError what `ReadingPort.read` throws and, when it stores something, what `storeOffset` throws
   */
  async read (
    stream: string, consumer: string, request: ConsumerReadRequest, signal: AbortSignal
  ): Promise<ConsumerBatch> {
    const { polls, directory } = this.#options
    const name = this.#known(stream, consumer)
    directory.noteRead(name, consumer)
    const batch = await polls.read(name, consumer, request, signal)
    const hasStored = request.store !== undefined || (request.autoStore !== undefined && batch.count > 0)
    if (hasStored) directory.noteCommit(name, consumer)
    return batch
  }

  /**
   * Follows a stream from where the consumer is. Close the source and end the place that this returns.
   *
   * @throws StreamsError what `ReadingPort.follow` throws and, when it stores something, what `storeOffset` throws
   */
  async follow (
    stream: string, consumer: string, request: ConsumerFollowRequest, listener: ConsumerFollowListener,
    signal: AbortSignal
  ): Promise<{ source: LiveSource, place: ConsumerFollow }> {
    const { follows, offsets, directory } = this.#options
    const name = this.#known(stream, consumer)
    directory.noteRead(name, consumer)
    const { stored, from } = request.at === undefined
      ? await consumerStart(offsets, name, consumer, request.from, signal)
      : { stored: await offsets.find(name, consumer), from: request.at }
    const source = await follows.open(name, from, request.filter, listener, signal)
    const place = new ConsumerFollow({
      stream: name,
      consumer,
      offsets,
      stored,
      autoCommit: request.autoCommit,
      committed: () => { directory.noteCommit(name, consumer) },
      moved: listener.moved
    })
    return { source, place }
  }

  /**
   * Joins the broker's group of single active consumers: of all members of the stream and the name, other clients'
   * included, one is active. `listen` to the member that this returns, and `end` it.
   *
   * @param from where it begins when it becomes active and nothing is stored; unless it is `first`, it is stored then
   * @throws StreamsError `stream_not_found`, `access_refused`, `overloaded`, ...
   */
  async join (stream: string, consumer: string, from: Position): Promise<ActiveConsumer> {
    const { members, directory } = this.#options
    const name = this.#known(stream, consumer)
    const member = await members.join(name, consumer, from)
    directory.noteRead(name, consumer)
    return member
  }

  /**
   * Joins a group for the sake of the seat that its active member has: nothing is read, and no offset is stored for the
   * name. `listen` to the member that this returns, and `end` it.
   *
   * @param superStream of which the stream is a partition: the broker spreads the partitions over the members
   *
   * @throws StreamsError what `join` throws
   */
  async joinForSeat (stream: string, consumer: string, superStream?: string): Promise<ActiveConsumer> {
    const { members, names } = this.#options
    refuseBadReference('consumer', consumer)
    return await members.joinForSeat(
      names.toBroker(stream), consumer, superStream === undefined ? undefined : names.toBroker(superStream)
    )
  }

  /**
   * Follows the stream as a member of that group: there is something to take while it is the active one. `begin` what
   * this returns when the listener can be told, and `close` it, whatever happens.
   *
   * @throws StreamsError what `join` throws
   */
  async followActive (
    stream: string, consumer: string, request: ActiveFollowRequest, listener: ActiveFollowListener
  ): Promise<ActiveFollow> {
    const { members, directory } = this.#options
    const name = this.#known(stream, consumer)
    const committed = (): void => { directory.noteCommit(name, consumer) }
    const follow = await members.follow({ stream: name, consumer, ...request, committed, listener })
    directory.noteRead(name, consumer)
    return follow
  }

  /** @throws StreamsError `consumer_offset_not_found`, `stream_not_found`, ... */
  async storedOffset (stream: string, consumer: string): Promise<ConsumerOffset> {
    return await this.#options.offsets.describe(this.#known(stream, consumer), consumer)
  }

  /**
   * Stores "processed up to and including `offset`". Settles when a majority of the stream's members has it.
   *
   * @param expected refuse unless this is stored before; null: refuse when anything is
   * @throws StreamsError `offset_goes_back`, `offset_beyond_end`, `expectation_failed`, `stream_not_found`, ...
   */
  async storeOffset (stream: string, consumer: string, offset: number, expected?: number | null): Promise<Stored> {
    const name = this.#known(stream, consumer)
    const stored = await this.#options.offsets.store(name, consumer, offset, expected)
    this.#options.directory.noteCommit(name, consumer)
    return stored
  }

  /**
   * Makes the position the next one to be delivered, on this and every other gateway, from the next read on. Reads that
   * are held for data resume there. One case takes up to a minute: see `ProcessedZeros`.
   *
   * @throws StreamsError `offset_beyond_end`, `stream_not_found`, ...
   */
  async resetOffset (stream: string, consumer: string, to: Position): Promise<Stored> {
    return await this.#options.offsets.reset(this.#known(stream, consumer), consumer, to)
  }

  /** The offset that a reset to the position makes the next one. @throws StreamsError `offset_beyond_end`, ... */
  async resetTarget (stream: string, to: Position): Promise<number> {
    return await this.#options.offsets.targetOf(this.#options.names.toBroker(stream), to)
  }

  /** Every consumer known of the stream. @throws StreamsError `stream_not_found`, ... */
  async list (stream: string): Promise<{ consumers: ConsumerInfo[], sources: Sources }> {
    return await this.#options.directory.consumers(this.#options.names.toBroker(stream))
  }

  #known (stream: string, consumer: string): string {
    const name = this.#options.names.toBroker(stream)
    refuseBadReference('consumer', consumer)
    this.#options.directory.sawConsumer(name, consumer)
    return name
  }
}
