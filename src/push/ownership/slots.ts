import { setTimeout as delay } from 'node:timers/promises'
import type { Broker, Logger } from '../../streams/index.ts'
import { delayAfter } from '../delivery/retry.ts'
import type { PushFigures } from '../figures.ts'
import type { Seat } from './seat.ts'
import type { SlotLog } from './slot-log.ts'
import { SlotMember, type SlotListener } from './slot-member.ts'
import { SlotStreams } from './slot-streams.ts'
import { SlotWatch } from './slot-watch.ts'

export interface SlotsOptions {
  /** An internal one with a short heartbeat: its names are the broker's. */
  readonly broker: Broker
  /** What the names of the streams that push subscriptions keep for themselves begin with. */
  readonly prefix: string
  /** A stream that is there, or will be soon: see `SlotStreams`. */
  readonly lockStream: string
  /** The name of this instance. */
  readonly instance: string
  readonly log: SlotLog
  readonly listener: SlotListener
  readonly figures: PushFigures
  readonly logger: Logger
  /** Between two looks at the records of the others. */
  readonly beatMs?: number | undefined
}

/** All instances are members of the groups of this name. */
const GROUP = 'push'
/** When the super stream is created. Afterwards its partitions say how many there are. */
const SLOT_COUNT = 16
// At the very first start the stream of the lock may not be there yet.
const QUIET_FAILURES = 3
const PAUSES = { initialDelayMs: 200, maxDelayMs: 10_000, factor: 2 }

/**
 * The slots, over which RabbitMQ spreads the instances: the partitions of a super stream without messages, on each of
 * which one instance is the single active consumer. An instance owns the slots on which it is.
 */
export class Slots {
  readonly #options: SlotsOptions
  readonly #superStream: string
  readonly #ending = new AbortController()
  readonly #streams: SlotStreams
  readonly #partitions: Promise<readonly string[]>
  #members: readonly SlotMember[] = []
  #watch: SlotWatch | undefined
  #repairing: Promise<readonly string[]> | undefined

  constructor (options: SlotsOptions) {
    this.#options = options
    const { broker, prefix, lockStream } = options
    this.#superStream = `${prefix}.slots`
    this.#streams = new SlotStreams({ broker, superStream: this.#superStream, count: SLOT_COUNT, lockStream })
    this.#partitions = this.#begin()
  }

  /** How many slots there are; undefined before that is known. */
  get count (): number | undefined {
    return this.#members.length > 0 ? this.#members.length : undefined
  }

  isOwner (slot: number): boolean {
    return this.#members[slot]?.isOwner ?? false
  }

  /** The name of the instance that has the slot; undefined: none, as far as this one knows. */
  ownerOf (slot: number): string | undefined {
    const { instance, log } = this.#options
    if (this.isOwner(slot)) return instance
    return this.#watch?.isSilent(slot) === false ? log.slots.get(slot)?.owner : undefined
  }

  /** Leaves all groups, each when what belongs to its slot has settled. */
  async stop (): Promise<void> {
    this.#ending.abort()
    this.#watch?.stop()
    await this.#partitions
    await Promise.all(this.#members.map(async (member) => { await member.end() }))
    this.#options.figures.ownedSlots = 0
  }

  async #begin (): Promise<readonly string[]> {
    const { logger } = this.#options
    const { signal } = this.#ending
    for (let failures = 0; !signal.aborted;) {
      try {
        const partitions = await this.#streams.ensure(signal)
        if (!signal.aborted) this.#join(partitions)
        return partitions
      } catch (err) {
        if (failures === QUIET_FAILURES && !signal.aborted) {
          logger.warn({ err }, 'could not create the slots of push subscriptions')
        }
        await delay(delayAfter(++failures, PAUSES), undefined, { signal }).catch(() => {})
      }
    }
    return []
  }

  #join (partitions: readonly string[]): void {
    const { log, instance, figures, logger, beatMs } = this.#options
    this.#members = partitions.map((partition, slot) => this.#memberOf(partition, slot))
    this.#watch = new SlotWatch({
      log,
      instance,
      slotCount: partitions.length,
      isOwner: (slot) => this.isOwner(slot),
      rejoin: (slot, awayMs) => { void this.#members[slot]?.rejoin(awayMs) },
      figures,
      logger,
      beatMs
    })
  }

  #memberOf (partition: string, slot: number): SlotMember {
    const { broker, log, logger, listener } = this.#options
    return new SlotMember({
      broker,
      group: GROUP,
      superStream: this.#superStream,
      partition,
      slot,
      listener: {
        activated: (slot: number, seat: Seat) => {
          this.#count()
          this.#watch?.say(slot)
          listener.activated(slot, seat)
        },
        deactivated: async (slot, why) => {
          this.#count()
          log.forgetSlot(slot)
          await listener.deactivated(slot, why)
        }
      },
      repair: async () => { await this.#repair() },
      logger
    })
  }

  #count (): void {
    this.#options.figures.ownedSlots = this.#members.filter(({ isOwner }) => isOwner).length
  }

  // All members ask for this at the same time when the super stream is deleted.
  async #repair (): Promise<void> {
    this.#repairing ??= this.#streams.ensure(this.#ending.signal).finally(() => { this.#repairing = undefined })
    const found = await this.#repairing
    const known = await this.#partitions
    if (found.length === known.length && found.every((name, slot) => name === known[slot])) return
    // Each subscription belongs to a slot by the number of slots. Instances that know other numbers deliver it twice.
    this.#options.logger.error(
      { found, known }, 'the slots of push subscriptions are not those of the start: restart all instances at once'
    )
    throw new Error('the slots are others')
  }
}
