import { RequestError } from '../api/problems.ts'
import { ByteBudget, Lease } from '../streams/index.ts'

// Less is not worth keeping a promise for.
const MIN_PROMISED_BYTES = 32 * 1024
// How long what a client has announced is kept for it: a second, and longer if it sends a MiB a second or more.
const PROMISE_MS = 1000
const PACE_BYTES_PER_MS = 1024

/**
 * The memory that bodies may take, all together. What clients announce of large bodies is kept for them for a moment,
 * and as long as they send them quickly: of a crowd that sends more than there is room for, the first come to an end
 * and the rest are refused with their headers, and not after most of it was sent in vain. Small bodies are only
 * measured against what is in memory, so that nobody keeps them out by promises.
 */
export class BodyBudget {
  readonly #held: ByteBudget
  readonly #now: () => number
  readonly #promised = new Set<BodyClaim>()
  #promisedBytes = 0
  #lookedMs = -Infinity

  /** @param now the clock, ms */
  constructor (limitBytes: number, now = (): number => performance.now()) {
    this.#held = new ByteBudget(limitBytes)
    this.#now = now
  }

  /** What is in memory. */
  get heldBytes (): number {
    return this.#held.usedBytes
  }

  /** For one request. It holds nothing yet. */
  claim (): BodyClaim {
    return new BodyClaim(this, Lease.of(this.#held), this.#now())
  }

  /**
   * For claims: whether one may announce this many bytes.
   *
   * @throws RequestError `overloaded` when they do not fit beside what others hold and were promised
   */
  refuseToPromise (claim: BodyClaim, bytes: number): void {
    if (this.#fits(claim, bytes, this.#promisedBytes)) return
    this.#dropStale()
    if (!this.#fits(claim, bytes, this.#promisedBytes)) throw overloaded()
  }

  /**
   * For claims: whether one may have this many bytes in memory.
   *
   * @throws RequestError `overloaded` when they do not fit beside what others hold
   */
  refuseToHold (claim: BodyClaim, bytes: number): void {
    if (!this.#fits(claim, bytes, 0)) throw overloaded()
  }

  /** For claims: what one is promised changes by this many bytes. */
  promise (claim: BodyClaim, moreBytes: number): void {
    this.#promisedBytes += moreBytes
    if (claim.promisedBytes + moreBytes > 0) this.#promised.add(claim)
    else this.#promised.delete(claim)
  }

  // One alone always fits, however large: otherwise it never could.
  #fits (claim: BodyClaim, bytes: number, promisedBytes: number): boolean {
    const ofOthers = this.#held.usedBytes - claim.heldBytes + Math.max(0, promisedBytes - claim.promisedBytes)
    return ofOthers === 0 || ofOthers + bytes <= this.#held.limitBytes
  }

  // All of them are looked at, so not for each of a crowd that is refused.
  #dropStale (): void {
    const nowMs = this.#now()
    if (nowMs - this.#lookedMs < PROMISE_MS / 40) return
    this.#lookedMs = nowMs
    for (const claim of this.#promised) {
      if (nowMs > claim.startedMs + PROMISE_MS + claim.heldBytes / PACE_BYTES_PER_MS) claim.dropPromise()
    }
  }
}

/** What one request's body takes of the budget, until the request is over. After that nothing is held or promised. */
export class BodyClaim {
  readonly startedMs: number
  readonly #budget: BodyBudget
  readonly #lease: Lease
  #promisedBytes = 0

  constructor (budget: BodyBudget, lease: Lease, startedMs: number) {
    this.#budget = budget
    this.#lease = lease
    this.startedMs = startedMs
  }

  /** What is in memory. */
  get heldBytes (): number {
    return this.#lease.bytes
  }

  /** What is announced and has not come yet. */
  get promisedBytes (): number {
    return this.#promisedBytes
  }

  /** This many bytes are to come. @throws RequestError `overloaded` */
  announce (bytes: number): void {
    if (this.#lease.hasEnded) return
    if (bytes < MIN_PROMISED_BYTES) {
      this.#budget.refuseToHold(this, bytes)
      return
    }
    this.#budget.refuseToPromise(this, bytes)
    this.#promise(bytes)
  }

  /**
   * This many bytes are in memory from now on, more or fewer than before.
   *
   * @throws RequestError `overloaded`; then it holds what it held
   */
  hold (bytes: number): void {
    if (this.#lease.hasEnded) return
    const moreBytes = bytes - this.heldBytes
    if (moreBytes > 0) this.#budget.refuseToHold(this, bytes)
    this.#lease.resize(bytes)
    this.#promise(bytes === 0 ? 0 : Math.max(0, this.#promisedBytes - Math.max(0, moreBytes)))
  }

  dropPromise (): void {
    this.#promise(0)
  }

  /** Gives everything back, for good: the request is over. Calling it twice is fine. */
  end (): void {
    this.#promise(0)
    this.#lease.end()
  }

  #promise (bytes: number): void {
    if (bytes === this.#promisedBytes) return
    this.#budget.promise(this, bytes - this.#promisedBytes)
    this.#promisedBytes = bytes
  }
}

function overloaded (): RequestError {
  return new RequestError(
    'overloaded',
    'the bodies of requests under way take up all of HTTP_BODY_BUDGET_BYTES',
    { retryable: true }
  )
}
