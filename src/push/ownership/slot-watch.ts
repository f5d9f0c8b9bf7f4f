import type { Logger } from '../../streams/index.ts'
import type { PushFigures } from '../figures.ts'
import type { SlotLog } from './slot-log.ts'

export interface SlotWatchOptions {
  readonly log: SlotLog
  /** The name of this instance. */
  readonly instance: string
  readonly slotCount: number
  readonly isOwner: (slot: number) => boolean
  /** Leaves the group of the slot, and joins it again after this time. */
  readonly rejoin: (slot: number, awayMs: number) => void
  readonly figures: PushFigures
  readonly logger: Logger
  /** Between two looks at the log. */
  readonly beatMs?: number | undefined
}

const BEAT_MS = 5000
const BEATS_A_RECORD = 2
const BEATS_TO_WARN = 6
const BEATS_TO_REJOIN = 18
// Before RabbitMQ 4.2.4 a group may wait for ever for a member that is gone, until all members have left. The first
// instance that leaves calls the others, and all stay away long enough to be away at the same time.
const BEATS_AWAY = 5
const BEATS_BETWEEN = 12

interface Watched {
  /** The number of beats since an instance last said that it has the slot. */
  silentBeats: number
  leftBeat: number
}

/**
 * Writes which slots this instance has, and notices slots that no instance has. Then the broker keeps a slot for a
 * process that is gone, or has lost count of its group. When all instances leave the group, it begins anew.
 *
 * It counts its own beats and compares no clocks of machines. A beat counts only while records of some instance keep
 * coming: while the log cannot be written or read, nothing is known of the slots, which are owned all the same.
 */
export class SlotWatch {
  readonly #options: SlotWatchOptions
  readonly #slots: Watched[]
  readonly #timer: NodeJS.Timeout
  #beats = 0
  readonly #records = new Map<number, string>()
  #quietBeats = 0

  constructor (options: SlotWatchOptions) {
    this.#options = options
    this.#slots = Array.from({ length: options.slotCount }, () => {
      return { silentBeats: 0, leftBeat: -Infinity }
    })
    this.#timer = setInterval(() => { this.#beat() }, options.beatMs ?? BEAT_MS)
  }

  /** Tells the others of a slot that this instance has. */
  say (slot: number): void {
    const { log, instance } = this.#options
    log.publishSlot({ slot, owner: instance, at: Date.now() })
  }

  /** Whether no instance has said for a while that it has the slot. */
  isSilent (slot: number): boolean {
    return (this.#slots[slot]?.silentBeats ?? 0) >= BEATS_TO_WARN
  }

  stop (): void {
    clearInterval(this.#timer)
    this.#options.figures.unownedSlots = 0
  }

  #beat (): void {
    const { isOwner, figures } = this.#options
    const owned = this.#slots.flatMap((_, slot) => isOwner(slot) ? [slot] : [])
    // By the slot after the last one an instance without slots sees that the log takes records and gives them back.
    const said = owned.length === 0 ? [this.#slots.length] : owned
    if (this.#beats++ % BEATS_A_RECORD === 0) for (const slot of said) this.say(slot)
    const heard = this.#listen()
    this.#quietBeats = heard.size > 0 ? 0 : this.#quietBeats + 1
    const isTelling = this.#quietBeats <= BEATS_A_RECORD
    for (const [slot, watched] of this.#slots.entries()) {
      if (heard.has(slot) || owned.includes(slot)) watched.silentBeats = 0
      else if (isTelling) this.#isSilent(slot, watched, heard.has(this.#callFor(slot)))
    }
    figures.unownedSlots = this.#slots.filter(({ silentBeats }) => silentBeats >= BEATS_TO_WARN).length
  }

  // Beyond the slots, and beyond the one that stands for no slot.
  #callFor (slot: number): number {
    return this.#slots.length + 1 + slot
  }

  // The slots of which there are new records.
  #listen (): Set<number> {
    const heard = new Set<number>()
    for (const [slot, { owner, at }] of this.#options.log.slots) {
      const record = `${at} ${owner}`
      if (this.#records.get(slot) !== record) heard.add(slot)
      this.#records.set(slot, record)
    }
    return heard
  }

  #isSilent (slot: number, watched: Watched, isCalled: boolean): void {
    const { logger, rejoin, beatMs = BEAT_MS } = this.#options
    watched.silentBeats++
    if (watched.silentBeats === BEATS_TO_WARN) {
      logger.warn({ slot }, 'a slot of push subscriptions has no owner: its subscriptions deliver nothing')
    }
    const isDue = watched.silentBeats >= (isCalled ? BEATS_TO_WARN : BEATS_TO_REJOIN)
    if (!isDue || this.#beats - watched.leftBeat < BEATS_BETWEEN) return
    watched.leftBeat = this.#beats
    this.say(this.#callFor(slot))
    rejoin(slot, BEATS_AWAY * beatMs)
  }
}
