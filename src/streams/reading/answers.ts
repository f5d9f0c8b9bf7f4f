import type { ByteBudget } from '../common/budget.ts'
import { Lease } from '../common/lease.ts'
import { StreamsError } from '../errors.ts'

/** The answers that are being made or written: their part of the read budget. */
export class Answers {
  readonly #budget: ByteBudget
  readonly #evictIdle: (neededBytes: number) => void
  // One function for all leases: each poll takes one.
  readonly #onChange = (moreBytes: number): void => { this.#usedBytes += moreBytes }
  #usedBytes = 0

  /** @param evictIdle evicts idle readers until the bytes fit or none is left */
  constructor (budget: ByteBudget, evictIdle: (neededBytes: number) => void) {
    this.#budget = budget
    this.#evictIdle = evictIdle
  }

  /** For the memory of one answer. It holds nothing yet. */
  lease (): Lease {
    return Lease.of(this.#budget, this.#onChange)
  }

  /**
   * Makes sure that there is room for one answer more. A single answer is always let through, however large: otherwise
   * it never could be.
   *
   * @throws StreamsError `overloaded`
   */
  makeRoom (bytes: number): void {
    if (bytes <= 0 || this.#usedBytes === 0 || this.#budget.hasRoomFor(bytes)) return
    this.#evictIdle(bytes)
    if (this.#budget.hasRoomFor(bytes)) return
    throw tooMuchRead(this.#budget)
  }
}

/** What a read is refused with when the budget is spent. */
export function tooMuchRead ({ limitBytes }: ByteBudget): StreamsError {
  return new StreamsError(
    'overloaded', 'too many bytes are being read at the same time; try again in a moment', { details: { limitBytes } }
  )
}
