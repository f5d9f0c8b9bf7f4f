import { setTimeout as delay } from 'node:timers/promises'
import type { ActiveConsumer, Broker, Deactivation, Logger } from '../../streams/index.ts'
import { delayAfter } from '../delivery/retry.ts'
import type { Seat } from './seat.ts'

/** What happens to a slot. */
export interface SlotListener {
  /** This instance owns the slot from now on. */
  readonly activated: (slot: number, seat: Seat) => void
  /**
   * From now on it does not. When it is asked to stop, no other instance owns the slot before this settles, which is
   * waited for during 20 seconds. When the seat is lost, nothing may be sent or stored. The next `activated` of the
   * slot comes when this has settled.
   */
  readonly deactivated: (slot: number, why: Deactivation) => Promise<void>
}

export interface SlotMemberOptions {
  readonly broker: Broker
  readonly group: string
  readonly superStream: string
  readonly partition: string
  readonly slot: number
  readonly listener: SlotListener
  /** Sees to it that the partition is there. Called after a failure. */
  readonly repair: () => Promise<void>
  readonly logger: Logger
}

interface Ownership {
  readonly seat: Seat
  isOver: boolean
  /** Set when it is over. */
  settled: Promise<void>
}

const PAUSES = { initialDelayMs: 100, maxDelayMs: 10_000, factor: 2 }

/** This instance as a member of the group of one slot. It joins again and again, whatever fails. */
export class SlotMember {
  readonly #options: SlotMemberOptions
  readonly #ending = new AbortController()
  #member: ActiveConsumer | undefined
  #ownership: Ownership | undefined
  #failures = 0
  #joining: Promise<void>

  constructor (options: SlotMemberOptions) {
    this.#options = options
    this.#joining = this.#join()
  }

  get isOwner (): boolean {
    return this.#ownership?.isOver === false
  }

  /** Leaves the group, and joins it again after this time. */
  async rejoin (awayMs: number): Promise<void> {
    if (this.#member === undefined) return // it is about to join anyway
    await this.#leave()
    await delay(awayMs, undefined, { signal: this.#ending.signal }).catch(() => {})
    if (!this.#ending.signal.aborted) this.#joining = this.#join()
  }

  /** Leaves the group when what belongs to the slot has settled. */
  async end (): Promise<void> {
    this.#ending.abort()
    await this.#joining
    await this.#leave()
  }

  async #join (): Promise<void> {
    const { broker, partition, group, superStream, slot, repair, logger } = this.#options
    const { signal } = this.#ending
    while (!signal.aborted) {
      try {
        if (this.#failures > 0) {
          await delay(delayAfter(this.#failures, PAUSES), undefined, { signal })
          await repair()
        }
        const member = await broker.consumers.joinForSeat(partition, group, superStream)
        this.#member = member
        this.#listen(member)
        return
      } catch (err) {
        if (signal.aborted) return
        if (this.#failures === 0) logger.warn({ slot, err }, 'could not join the group of a slot of push subscriptions')
        this.#failures++
      }
    }
  }

  #listen (member: ActiveConsumer): void {
    member.listen({
      activated: () => {
        this.#failures = 0
        this.#activate(member)
      },
      deactivated: async (why) => { await this.#deactivate(why) },
      failed: (err) => {
        if (this.#member !== member) return
        this.#member = undefined
        this.#failures++
        const { slot, logger } = this.#options
        logger.warn({ slot, err }, 'the group of a slot of push subscriptions is gone')
        this.#joining = this.#join()
      }
    })
  }

  #activate (member: ActiveConsumer): void {
    const seat = member.seat()
    if (seat === undefined) return
    const before = this.#ownership?.settled ?? Promise.resolve()
    const ownership = { seat, isOver: false, settled: Promise.resolve() }
    this.#ownership = ownership
    // The one before may take longer than the broker is made to wait.
    void before.then(() => {
      if (!ownership.isOver) this.#options.listener.activated(this.#options.slot, seat)
    })
  }

  async #deactivate (why: Deactivation): Promise<void> {
    const ownership = this.#ownership
    if (ownership === undefined) return
    if (!ownership.isOver) {
      ownership.isOver = true
      ownership.settled = this.#options.listener.deactivated(this.#options.slot, why)
    }
    await ownership.settled
    if (this.#ownership === ownership) this.#ownership = undefined
  }

  async #leave (): Promise<void> {
    await this.#joining
    const member = this.#member
    this.#member = undefined
    await this.#deactivate('asked')
    member?.end()
  }
}
