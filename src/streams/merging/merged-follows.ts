import type { ActiveConsumers } from '../consuming/active-consumers.ts'
import { ConsumerFollow } from '../consuming/consumer-follow.ts'
import type { ConsumerOffsets } from '../consuming/consumer-offsets.ts'
import { consumerStart } from '../consuming/consumer-start.ts'
import type { Position } from '../offset.ts'
import type { ReadFilter } from '../reading/filter.ts'
import type { Follows } from '../reading/follows.ts'
import type { StreamNames } from '../topology/stream-names.ts'
import { decodeCursor } from './cursor.ts'
import type { Opener } from './followed-partition.ts'
import { MergedFollow } from './merged-follow.ts'
import type { MergedFollowOptions } from './merged-follow-options.ts'
import type { MergedPolls, MergedStart } from './merged-polls.ts'
import type { MergedPlan } from './merged-read.ts'
import { chosen, type SuperStream } from './partitions.ts'

/** What is to be followed. */
export interface MergedFollowRequest {
  readonly from: MergedStart
  /** The API's names of the partitions; undefined: all. */
  readonly partitions: readonly string[] | undefined
  /** Given: only the messages that it matches. */
  readonly filter: ReadFilter | undefined
}

/** As `MergedFollowRequest`, of a consumer. */
export interface MergedConsumerFollow extends Omit<MergedFollowRequest, 'from'> {
  readonly consumer: string
  /** Where to begin in place of where the consumer is. Not for a member of a group. */
  readonly at: MergedStart | undefined
  /** Where to begin in a partition without a stored offset; unless it is `first`, it is stored. */
  readonly from: Position
  /** Stores what was taken. */
  readonly autoCommit: boolean
  /** Be a member of the group of each partition, and take from those for which it is the active one. */
  readonly singleActive: boolean
}

type Company = Pick<MergedFollowOptions, 'listener' | 'find' | 'forget'>
type Consumer = MergedConsumerFollow & {
  /** Called with the broker's name of a partition when an offset was stored. */
  readonly committed: (stream: string) => void
}

export interface MergedFollowsOptions {
  polls: MergedPolls
  follows: Follows
  members: ActiveConsumers
  offsets: ConsumerOffsets
  names: StreamNames
}

/** Those who follow the partitions of super streams. */
export class MergedFollows {
  readonly #options: MergedFollowsOptions

  constructor (options: MergedFollowsOptions) {
    this.#options = options
  }

  /**
   * Follows from a position of every partition, or from a cursor.
   *
   * @throws StreamsError what `MergedPolls.read` throws
   */
  async open (
    superStream: SuperStream, { from, partitions, filter }: MergedFollowRequest, company: Company, signal: AbortSignal
  ): Promise<MergedFollow> {
    const { polls, follows } = this.#options
    const plan = await polls.plan(superStream, partitions, from)
    const open: Opener = async ({ stream }, offset, listener, signal) =>
      ({ source: await follows.open(stream, { type: 'offset', offset: offset ?? 0 }, filter, listener, signal) })
    return await this.#begin(superStream, plan, { ...company, open, addedAt: 0, isShared: false }, signal)
  }

  /** Follows from where a consumer is. @throws StreamsError what `MergedConsumerPolls.read` throws */
  async openAs (
    superStream: SuperStream, consumer: Consumer, company: Company, signal: AbortSignal
  ): Promise<MergedFollow> {
    const { singleActive } = consumer
    const plan = await this.#planOf(superStream, consumer)
    const open = singleActive ? this.#asMember(superStream, consumer) : this.#asConsumer(consumer)
    const more = { ...company, open, addedAt: undefined, isShared: singleActive }
    return await this.#begin(superStream, plan, more, signal)
  }

  async #begin (
    superStream: SuperStream, plan: Plan,
    more: Company & Pick<MergedFollowOptions, 'open' | 'addedAt' | 'isShared'>, signal: AbortSignal
  ): Promise<MergedFollow> {
    const { partitions, otherPlaces, gaps } = plan
    const lease = (bytes: number) => this.#options.follows.lease(bytes)
    const follow = new MergedFollow({ superStream, partitions, otherPlaces, gaps, lease, ...more })
    try {
      await follow.open(signal)
      return follow
    } catch (error) {
      follow.abandon()
      throw error
    }
  }

  // In partitions that the cursor does not know, the consumer is where it is.
  async #planOf (superStream: SuperStream, { partitions, at }: Consumer): Promise<Plan> {
    if (at === undefined) {
      const all = chosen(superStream, partitions).map((partition) => ({ partition, offset: undefined }))
      return { partitions: all, otherPlaces: [], gaps: [] }
    }
    const plan = await this.#options.polls.plan(superStream, partitions, at)
    if (at.type !== 'cursor') return plan
    const known = new Set(decodeCursor(superStream.name, at.cursor).places.map(({ key }) => key))
    return {
      ...plan,
      partitions: plan.partitions.map(({ partition, offset }) =>
        ({ partition, offset: known.has(partition.key) ? offset : undefined }))
    }
  }

  #asConsumer ({ consumer, from, autoCommit, filter, committed }: Consumer): Opener {
    const { follows, offsets } = this.#options
    return async ({ stream }, offset, listener, signal) => {
      const start = offset === undefined
        ? await consumerStart(offsets, stream, consumer, from, signal)
        : { stored: await offsets.find(stream, consumer), from: { type: 'offset', offset } as const }
      const source = await follows.open(stream, start.from, filter, listener, signal)
      const place = new ConsumerFollow({
        stream,
        consumer,
        offsets,
        stored: start.stored,
        autoCommit,
        committed: () => { committed(stream) },
        moved: listener.moved
      })
      return { source, place }
    }
  }

  #asMember (superStream: SuperStream, { consumer, from, autoCommit, filter, committed }: Consumer): Opener {
    const { members, names } = this.#options
    const onBroker = names.toBroker(superStream.name)
    return async ({ stream }, _offset, listener) => {
      const source = await members.follow({
        stream,
        consumer,
        from,
        autoCommit,
        filter,
        listener,
        superStream: onBroker,
        committed: () => { committed(stream) }
      })
      return { source, place: source, begin: () => { source.begin() } }
    }
  }
}

interface Plan extends Pick<MergedPlan, 'otherPlaces' | 'gaps'> {
  readonly partitions: MergedFollowOptions['partitions']
}
