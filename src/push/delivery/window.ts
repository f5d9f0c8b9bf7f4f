import type { Deliverable, RetryState } from './delivery.ts'

/** How a message was settled. */
export type Settlement = 'delivered' | 'error' | 'dropped'

/** A message of the window. */
export interface Entry<M extends Deliverable> {
  readonly message: M
  /** Undefined until it is settled. */
  how: Settlement | undefined
  /** While it is tried again. */
  retry: RetryState | undefined
}

/** The messages from the first one on that is not settled, in their order. */
export class Window<M extends Deliverable> {
  readonly #settled: (offset: number, how: Settlement) => void
  #entries: Array<Entry<M>> = []
  #first = 0

  /** @param settled told when everything up to and including an offset is settled, in the same way for each stretch */
  constructor (settled: (offset: number, how: Settlement) => void) {
    this.#settled = settled
  }

  /** How many messages there are: the first one, and those that are ahead of it. */
  get size (): number {
    return this.#entries.length - this.#first
  }

  get head (): Entry<M> | undefined {
    return this.#entries[this.#first]
  }

  /** The last message that was taken; undefined before the first. */
  last: M | undefined

  add (message: M): Entry<M> {
    const entry = { message, how: undefined, retry: undefined }
    this.#entries.push(entry)
    this.last = message
    return entry
  }

  /** Lets go of what is settled at the beginning. Returns whether there was something. */
  advance (): boolean {
    let { head } = this
    const before = this.#first
    while (head?.how !== undefined) {
      const { how, message: { lastOffset } } = head
      this.#first++
      head = this.head
      if (head?.how !== how) this.#settled(lastOffset, how)
    }
    if (this.#first === before) return false
    if (this.#first * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#first)
      this.#first = 0
    }
    return true
  }
}
