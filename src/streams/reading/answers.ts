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

  /** Memory for an answer; undefined when there is no room for it. End the lease. */
  take (bytes: number): Lease | undefined {
    const lease = this.lease()
    if (this.grow(lease, bytes) === undefined) return lease
    lease.end()
    return undefined
  }

  /**
   * Makes sure that there is room for the memory of an answer to grow to this many bytes. A single answer is always let
   * through, however large: otherwise it never could be.
   *
   * @throws StreamsError `overloaded`
   */
  makeRoom (lease: Lease, bytes: number): void {
    const refusal = this.#refusal(lease, bytes)
    if (refusal !== undefined) throw refusal
  }

  /** Grows the memory of an answer, or says why it must not: `overloaded`. It never shrinks. */
  grow (lease: Lease, bytes: number): StreamsError | undefined {
    const refusal = this.#refusal(lease, bytes)
    if (refusal === undefined && bytes > lease.bytes) lease.resize(bytes)
    return refusal
  }

  #refusal (lease: Lease, bytes: number): StreamsError | undefined {
    const moreBytes = bytes - lease.bytes
    if (moreBytes <= 0 || this.#usedBytes === lease.bytes || this.#budget.hasRoomFor(moreBytes)) return undefined
    this.#evictIdle(moreBytes)
    return this.#budget.hasRoomFor(moreBytes) ? undefined : tooMuchRead(this.#budget)
  }
}

/** What a read is refused with when the budget is spent. */
export function tooMuchRead ({ limitBytes }: ByteBudget): StreamsError {
  return new StreamsError(
    'overloaded', 'too many bytes are being read at the same time; try again in a moment', { details: { limitBytes } }
  )
}
