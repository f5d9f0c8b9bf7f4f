import { RequestError } from '../api/problems.ts'
import { ByteBudget, Lease } from '../streams/index.ts'

// Smaller bodies get no promise.
const MIN_PROMISED_BYTES = 32 * 1024
// How long room is kept for the bytes that a client has announced: a second, and longer if the client sends a MiB a
// second or more.
const PROMISE_MS = 1000
const PACE_BYTES_PER_MS = 1024

/**
 * The memory that all bodies together may take. Room for an announced large body is promised to its client for a
 * moment, and longer while the client sends quickly. When many clients send more than fits, the first bodies are read
 * to their end, and the others are refused with their headers instead of after most of them was sent in vain. Small
 * bodies are only measured against the bytes in memory, so that promises cannot keep them out.
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

  /** The bytes in memory. */
  get heldBytes (): number {
    return this.#held.usedBytes
  }

  /** A claim for one request. It holds nothing yet. */
  claim (): BodyClaim {
    return new BodyClaim(this, Lease.of(this.#held), this.#now())
  }

  /**
   * For claims: refuses the announcement of a body that does not fit.
   *
   * @throws RequestError `overloaded` when the bytes do not fit in addition to those that others hold and were promised
   */
  refuseToPromise (claim: BodyClaim, bytes: number): void {
    if (this.#fits(claim, bytes, this.#promisedBytes)) return
    this.#dropStale()
    if (!this.#fits(claim, bytes, this.#promisedBytes)) throw overloaded()
  }

  /**
   * For claims: refuses bytes in memory that do not fit.
   *
   * @throws RequestError `overloaded` when the bytes do not fit in addition to those that others hold
   */
  refuseToHold (claim: BodyClaim, bytes: number): void {
    if (!this.#fits(claim, bytes, 0)) throw overloaded()
  }

  /** For claims: the promise to one changes by this many bytes. */
  promise (claim: BodyClaim, moreBytes: number): void {
    this.#promisedBytes += moreBytes
    if (claim.promisedBytes + moreBytes > 0) this.#promised.add(claim)
    else this.#promised.delete(claim)
  }

  // A single body always fits, however large: otherwise it could never be read.
  #fits (claim: BodyClaim, bytes: number, promisedBytes: number): boolean {
    const ofOthers = this.#held.usedBytes - claim.heldBytes + Math.max(0, promisedBytes - claim.promisedBytes)
    return ofOthers === 0 || ofOthers + bytes <= this.#held.limitBytes
  }

  // This looks at all claims, so it is not done for every refusal of a burst.
  #dropStale (): void {
    const nowMs = this.#now()
    if (nowMs - this.#lookedMs < PROMISE_MS / 40) return
    this.#lookedMs = nowMs
    for (const claim of this.#promised) {
      if (nowMs > claim.startedMs + PROMISE_MS + claim.heldBytes / PACE_BYTES_PER_MS) claim.dropPromise()
    }
  }
}

/**
 * The part of the budget that the body of one request takes, until the request is over. After that it holds and is
 * promised nothing.
 */
export class BodyClaim {
  readonly startedMs: number
  readonly #budget: BodyBudget
  readonly #lease: Lease
  #promisedBytes = 0
  #besideBytes = 0

  constructor (budget: BodyBudget, lease: Lease, startedMs: number) {
    this.#budget = budget
    this.#lease = lease
    this.startedMs = startedMs
  }

  /** The bytes in memory. */
  get heldBytes (): number {
    return this.#lease.bytes
  }

  /** The announced bytes that have not arrived yet. */
  get promisedBytes (): number {
    return this.#promisedBytes
  }

  /** This many bytes are announced. @throws RequestError `overloaded` */
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
   * From now on this many bytes are in memory, more or fewer than before.
   *
   * @throws RequestError `overloaded`; the claim then holds what it held before
   */
  hold (bytes: number): void {
    if (this.#lease.hasEnded) return
    const moreBytes = this.#resize(bytes + this.#besideBytes)
    this.#promise(bytes === 0 ? 0 : Math.max(0, this.#promisedBytes - Math.max(0, moreBytes)))
  }

  /**
   * From now on this many bytes are in memory beside those of the body: what decodes it.
   *
   * @throws RequestError `overloaded`; the claim then holds what it held before
   */
  holdBeside (bytes: number): void {
    if (this.#lease.hasEnded) return
    this.#resize(this.heldBytes - this.#besideBytes + bytes)
    this.#besideBytes = bytes
  }

  dropPromise (): void {
    this.#promise(0)
  }

  /** Gives everything back, for good: the request is over. Calling it twice is fine. */
  end (): void {
    this.#promise(0)
    this.#lease.end()
  }

  #resize (bytes: number): number {
    const moreBytes = bytes - this.heldBytes
    if (moreBytes > 0) this.#budget.refuseToHold(this, bytes)
    this.#lease.resize(bytes)
    return moreBytes
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
