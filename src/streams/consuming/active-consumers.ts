import { classify } from '../classify.ts'
import type { ConnectionPool } from '../connections/connection-pool.ts'
import { Membership, type Group, type MembershipHandlers } from '../connections/membership.ts'
import { StreamsError } from '../errors.ts'
import type { Position } from '../offset.ts'
import type { Follows } from '../reading/follows.ts'
import type { Polls } from '../reading/polls.ts'
import type { Locator } from '../topology/locator.ts'
import type { SuperStreams } from '../topology/super-streams.ts'
import { ActiveConsumer, type ActiveConsumerOptions } from './active-consumer.ts'
import { ActiveFollow, type ActiveFollowOptions } from './active-follow.ts'
import type { ConsumerOffsets } from './consumer-offsets.ts'
import { consumerStart } from './consumer-start.ts'

export interface ActiveConsumersOptions {
  connections: ConnectionPool
  locator: Locator
  superStreams: SuperStreams
  offsets: ConsumerOffsets
  polls: Polls
  follows: Follows
  /** The pauses between attempts to join again. */
  reconnect: { reconnectDelayMs: number, maxReconnectDelayMs: number }
}

type WantedFollow =
  & Pick<ActiveFollowOptions, 'stream' | 'consumer' | 'autoCommit' | 'filter' | 'committed' | 'listener'>
  & {
    readonly from: Position
    /** The broker's name of the super stream of which the stream is a partition, when that is known. */
    readonly superStream?: string
  }

/** The members of groups of single active consumers that this process has. */
export class ActiveConsumers {
  readonly #options: ActiveConsumersOptions
  readonly #members = new Map<ActiveConsumer, string>()

  constructor (options: ActiveConsumersOptions) {
    this.#options = options
  }

  get size (): number {
    return this.#members.size
  }

  /** The streams that there are members for. */
  get streams (): ReadonlySet<string> {
    return new Set(this.#members.values())
  }

  /**
   * Joins the group of the stream and the name. `end` the member, whatever happens.
   *
   * @param from where it begins when it becomes active and nothing is stored; unless it is `first`, it is stored then
   * @param known the super stream of which the stream is a partition
   * @throws StreamsError `stream_not_found`, `access_refused`, `overloaded`, ...
   */
  async join (stream: string, consumer: string, from: Position, known?: string): Promise<ActiveConsumer> {
    const { offsets, superStreams } = this.#options
    const superStream = known ?? await superStreams.superStreamOf(stream)
    return await this.#join({ stream, consumer, superStream }, {
      start: async (signal) => {
        const start = await consumerStart(offsets, stream, consumer, from, signal)
        return start.from.type === 'offset' ? start.from.offset : start.resumesAt
      },
      place: async () => await this.#place(stream, consumer, from)
    })
  }

  /**
   * Joins the group for the sake of the seat: nothing is read, and no offset is stored for the name.
   * `end` the member, whatever happens.
   *
   * @throws StreamsError what `join` throws
   */
  async joinForSeat (stream: string, consumer: string, superStream: string | undefined): Promise<ActiveConsumer> {
    return await this.#join({ stream, consumer, superStream }, { start: async () => 0, place: async () => 0 })
  }

  /**
   * Follows the stream as a member of the group. `begin` what this returns when the listener can be told, and `close`
   * it, whatever happens.
   *
   * @throws StreamsError what `join` throws
   */
  async follow ({ from, superStream, ...wanted }: WantedFollow): Promise<ActiveFollow> {
    const { stream, consumer } = wanted
    const { follows, offsets } = this.#options
    const member = await this.join(stream, consumer, from, superStream)
    try {
      return new ActiveFollow({ ...wanted, position: await member.place(), member, follows, offsets })
    } catch (error) {
      member.end()
      throw error
    }
  }

  /** The user may no longer read the stream. */
  refuse (stream: string): void {
    const error = new StreamsError('access_refused', 'the user may no longer read the stream')
    for (const [member, name] of this.#members) if (name === stream) member.fail(error)
  }

  /** All members leave their groups. */
  close (): void {
    for (const member of [...this.#members.keys()]) member.end()
  }

  async #join (group: Group, where: Pick<ActiveConsumerOptions, 'start' | 'place'>): Promise<ActiveConsumer> {
    const member = await ActiveConsumer.join({
      join: async (handlers) => await this.#enter(group, handlers),
      ...where,
      ...this.#options.reconnect,
      onEnd: (ended) => { this.#members.delete(ended) }
    })
    this.#members.set(member, group.stream)
    return member
  }

  async #place (stream: string, consumer: string, from: Position): Promise<number> {
    const { offsets, polls } = this.#options
    const stored = await offsets.find(stream, consumer)
    if (stored !== undefined) return Number(offsets.nextOffsetOf(stream, consumer, stored))
    return from.type === 'first' ? 0 : await polls.resolve(stream, from)
  }

  async #enter (group: Group, handlers: MembershipHandlers): Promise<Membership> {
    const { connections, locator } = this.#options
    try {
      const { node } = await locator.member(group.stream)
      return await Membership.join(connections, node, group, {
        updated: (isActive, answer) => { handlers.updated(isActive, answer) },
        lost: (error) => {
          locator.forget(group.stream)
          handlers.lost(error)
        }
      })
    } catch (error) {
      locator.forget(group.stream)
      throw classify(error)
    }
  }
}
