import type { ByteBudget } from '../common/budget.ts'
import { StreamsError } from '../errors.ts'

/** The answers that are being made or written: their part of the read budget. */
export class Answers {
  readonly #budget: ByteBudget
  readonly #relieve: (neededBytes: number) => void
  #usedBytes = 0

  /** @param relieve gives up what only may be of use later, until there is so much room or nothing more to give up */
  constructor (budget: ByteBudget, relieve: (neededBytes: number) => void) {
    this.#budget = budget
    this.#relieve = relieve
  }

  /**
   * Makes sure that there is room for one more. A single answer is always let through, however large: otherwise it
   * never could be.
   *
   * @throws StreamsError `overloaded`
   */
  makeRoom (bytes: number): void {
    if (bytes <= 0 || this.#usedBytes === 0 || this.#budget.hasRoomFor(bytes)) return
    this.#relieve(bytes)
    if (this.#budget.hasRoomFor(bytes)) return
    throw tooMuch(this.#budget)
  }

  resize (fromBytes: number, toBytes: number): void {
    this.#usedBytes += toBytes - fromBytes
    if (toBytes > fromBytes) this.#budget.take(toBytes - fromBytes)
    else this.#budget.give(fromBytes - toBytes)
  }
}

/** What a read is refused with when the budget is spent. */
export function tooMuch ({ limitBytes }: ByteBudget): StreamsError {
  return new StreamsError('overloaded', 'too many bytes are being read at the same time; try again in a moment', {
    details: { limitBytes }
  })
}
