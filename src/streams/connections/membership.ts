import { StreamsError } from '../errors.ts'
import { ResponseCode, ResponseError, type AnswerUpdate } from '../protocol/index.ts'
import type { ConnectionPool, Endpoint } from './connection-pool.ts'
import { Pulse } from './pulse.ts'
import { Seat } from './seat.ts'
import type { Slot, SlotOwner } from './slot.ts'

export interface MembershipHandlers {
  /**
   * The broker asks the member to become active, or no longer to be. To be answered in any case, in the order of the
   * updates and within a minute. Until then no other member becomes active.
   *
   * @param answer an active member says from which offset on it reads. Does nothing the second time
   */
  updated (isActive: boolean, answer: (offset?: number) => void): void
  /** The connection or the stream is gone, and the membership with it. Called at most once. */
  lost (error: StreamsError): void
}

export interface Group {
  /** The broker's names. */
  readonly stream: string
  readonly consumer: string
  /** The super stream of which the stream is a partition. Its partitions are spread over the members. */
  readonly superStream: string | undefined
}

// The broker delivers nothing without credit.
const NO_CREDIT = 0

/**
 * A member of the broker's group of single active consumers: a subscription that decides who is active, and over which
 * nothing is delivered. The active member reads as everybody else does, so that readers of one stream share what is in
 * memory, and many members share one connection.
 */
export class Membership {
  readonly #slot: Slot

  private constructor (slot: Slot) {
    this.#slot = slot
  }

  /**
   * Joins the group. The handlers may be called before this resolves.
   *
   * @param node has to be one with a member of the stream
   * @throws StreamsError `stream_not_available` when the broker does not accept the member, and what a subscription
   *   throws
   */
  static async join (
    connections: ConnectionPool, node: Endpoint, group: Group, handlers: MembershipHandlers
  ): Promise<Membership> {
    if (group.superStream === undefined) return await Membership.#enter(connections, node, group, handlers)
    try {
      return await Membership.#enter(connections, node, group, handlers)
    } catch (error) {
      if (!isRefusal(error)) throw error
      // The members that are there do not treat the stream as a partition.
      return await Membership.#enter(connections, node, { ...group, superStream: undefined }, handlers)
    }
  }

  static async #enter (
    connections: ConnectionPool, node: Endpoint, group: Group, handlers: MembershipHandlers
  ): Promise<Membership> {
    const { stream, consumer, superStream } = group
    const slot = await connections.takeSlot('single-active', node, ownerOf(stream, handlers))
    const properties = new Map([['single-active-consumer', 'true'], ['name', consumer]])
    if (superStream !== undefined) properties.set('super-stream', superStream)
    try {
      await slot.enter(async () => {
        await slot.connection.subscribe(slot.id, stream, { type: 'next' }, NO_CREDIT, properties)
      })
    } catch (error) {
      throw error instanceof ResponseError && error.responseCode === ResponseCode.preconditionFailed
        ? refusal(error)
        : error
    }
    return new Membership(slot)
  }

  /**
   * The seat of the member while it is active.
   *
   * @param lost see `Seat`
   */
  seat (lost: AbortSignal): Seat {
    return new Seat(Pulse.of(this.#slot.connection), lost)
  }

  /** Leaves the group. Answer all updates before. Calling it twice is fine. */
  leave (): void {
    this.#slot.leave()
  }
}

function ownerOf (stream: string, handlers: MembershipHandlers): SlotOwner {
  return {
    stream,
    updated (isActive: boolean, answer: AnswerUpdate): void {
      handlers.updated(isActive, (offset) => { answer(offset === undefined ? undefined : { type: 'offset', offset }) })
    },
    lost (error) { handlers.lost(error) }
  }
}

function refusal (cause: unknown): StreamsError {
  return new StreamsError(
    'stream_not_available',
    'the broker does not accept the consumer as a single active one: other members of its name may take the stream ' +
      'for a partition of a super stream',
    { cause }
  )
}

function isRefusal (error: unknown): boolean {
  return error instanceof StreamsError && error.cause instanceof ResponseError &&
    error.cause.responseCode === ResponseCode.preconditionFailed
}
