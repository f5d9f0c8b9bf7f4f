/** Something that takes places of a cap and can let go of those that it does not use. */
export interface Holder {
  /** Gives back the place that was not used for the longest time; false when all of them are in use. */
  letGoOfOne: () => boolean
}

/** A bound on how many of something there are in the process, shared by several holders. */
export class Cap {
  readonly limit: number
  readonly #holders = new Set<Holder>()
  #used = 0

  constructor (limit: number) {
    this.limit = limit
  }

  get used (): number {
    return this.#used
  }

  /** From now on the holder is asked for room too. */
  join (holder: Holder): void {
    this.#holders.add(holder)
  }

  leave (holder: Holder): void {
    this.#holders.delete(holder)
  }

  /** Takes a place. When all are taken, an owner that is idle gives one back first. False when no owner is idle. */
  take (holder: Holder): boolean {
    while (this.#used >= this.limit) if (!this.makeRoom(holder)) return false
    this.#used++
    return true
  }

  give (): void {
    this.#used--
  }

  /** Has an owner give back a place that it does not use: the given owner, if it can. False when no owner can. */
  makeRoom (first?: Holder): boolean {
    if (first?.letGoOfOne() === true) return true
    for (const other of this.#holders) if (other !== first && other.letGoOfOne()) return true
    return false
  }
}
