import { Slot, type SlotOptions, type SlotOwner } from './slot.ts'

/** Publisher ids and subscription ids are one byte on the wire. */
export const SLOTS_PER_CONNECTION = 256

/** The 256 places of a connection and their owners, by id. */
export class Places {
  readonly #slots = new Array<Slot | undefined>(SLOTS_PER_CONNECTION).fill(undefined)
  // First in, first out, so that an id rests as long as it can.
  readonly #freeIds = Array.from({ length: SLOTS_PER_CONNECTION }, (_, id) => id)
  /** When the last place was given back, performance.now() ms. */
  lastFreedMs = performance.now()

  get isFull (): boolean {
    return this.#freeIds.length === 0
  }

  get usedCount (): number {
    return SLOTS_PER_CONNECTION - this.#freeIds.length
  }

  /** A place, which the owner has to `enter`; undefined when all are taken. */
  take (options: Omit<SlotOptions, 'id' | 'onFree'>): Slot | undefined {
    const id = this.#freeIds.shift()
    if (id === undefined) return undefined
    const slot = new Slot({ ...options, id, onFree: () => { this.#freed(id) } })
    this.#slots[id] = slot
    return slot
  }

  /** The owner of the place with the id. */
  owner (id: number): SlotOwner | undefined {
    return this.#slots[id]?.owner
  }

  /** A copy of the taken places: what is done with them may free some. */
  taken (): Slot[] {
    return this.#slots.filter((slot) => slot !== undefined)
  }

  #freed (id: number): void {
    this.#slots[id] = undefined
    this.#freeIds.push(id)
    this.lastFreedMs = performance.now()
  }
}
