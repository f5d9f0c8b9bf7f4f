import { RequestError } from '../api/problems.ts'
import { ByteBudget, Lease } from '../streams/index.ts'

// For less than this no promise is kept.
const MIN_PROMISED_BYTES = 32 * 1024
// How long room is kept for what a client has announced: a second, and longer if it sends a MiB a second or more.
const PROMISE_MS = 1000
const PACE_BYTES_PER_MS = 1024

/**
 * The memory that all bodies together may take. Room for a large body that a client announces is kept for a moment, and
 * as long as the client sends quickly: when a crowd sends more than there is room for, the first ones come to an end and
 * the rest are refused with their headers, not after they have sent most of it in vain. Small bodies are only measured
 * against what is in memory, so that promises keep nobody out.
 */
export class BodyBudget {
  readonly #held: ByteBudget
  readonly #now: () => number
  readonly #promised = new Set<BodyClaim>()
  #promisedBytes = 0
  #checkedMs = -Infinity

  /** @param now the clock, ms */
  constructor (limitBytes: number, now = (): number => performance.now()) {
    this.#held = new ByteBudget(limitBytes)
    this.#now = now
  }

  /** What is in memory. */
  get heldBytes (): number {
    return this.#held.usedBytes
  }

  /** The claim of one request. It holds nothing yet. */
  claim (): BodyClaim {
    return new BodyClaim(this, Lease.of(this.#held), this.#now())
  }

  /**
   * For claims: whether a claim may announce this much.
   *
   * @throws RequestError `overloaded` when it does not fit beside what others hold and were promised
   */
  refuseToPromise (claim: BodyClaim, bytes: number): void {
    if (this.#fits(claim, bytes, this.#promisedBytes)) return
    this.#dropStale()
    if (!this.#fits(claim, bytes, this.#promisedBytes)) throw overloaded()
  }

  /**
   * For claims: whether a claim may have this much in memory.
   *
   * @throws RequestError `overloaded` when it does not fit beside what others hold
   */
  refuseToHold (claim: BodyClaim, bytes: number): void {
    if (!this.#fits(claim, bytes, 0)) throw overloaded()
  }

  /** For claims: a claim is promised this much from now on. */
  promise (claim: BodyClaim, bytes: number): void {
    this.#promisedBytes += bytes - claim.promisedBytes
    if (bytes > 0) this.#promised.add(claim)
    else this.#promised.delete(claim)
  }

  // A single body always fits, however large: otherwise it never could.
  #fits (claim: BodyClaim, bytes: number, promisedBytes: number): boolean {
    const ofOthers = this.heldBytes - claim.heldBytes + Math.max(0, promisedBytes - claim.promisedBytes)
    return ofOthers === 0 || ofOthers + bytes <= this.#held.limitBytes
  }

  // It looks at all promises, so it is not done for each of a crowd that is refused.
  #dropStale (): void {
    const nowMs = this.#now()
    if (nowMs - this.#checkedMs < PROMISE_MS / 40) return
    this.#checkedMs = nowMs
    for (const claim of this.#promised) {
      if (nowMs > claim.startedMs + PROMISE_MS + claim.heldBytes / PACE_BYTES_PER_MS) claim.dropPromise()
    }
  }
}

/** What one request's body takes of the budget. After its end it holds nothing, whatever it is told. */
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

  get heldBytes (): number {
    return this.#lease.bytes
  }

  /** What is announced and has not arrived yet. */
  get promisedBytes (): number {
    return this.#promisedBytes
  }

  /** This much is to come. @throws RequestError `overloaded` */
  announce (bytes: number): void {
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
   * @throws RequestError `overloaded`; then it holds what it held
   */
  hold (bytes: number): void {
    if (this.#lease.hasEnded) return
    const moreBytes = bytes - this.heldBytes
    if (moreBytes > 0) this.#budget.refuseToHold(this, bytes)
    this.#lease.resize(bytes)
    this.#promise(bytes === 0 ? 0 : Math.max(0, this.promisedBytes - Math.max(0, moreBytes)))
  }

  dropPromise (): void {
    this.#promise(0)
  }

  /** Gives everything back. */
  end (): void {
    this.#promise(0)
    this.#lease.end()
  }

  #promise (bytes: number): void {
    if (bytes === this.#promisedBytes) return
    this.#budget.promise(this, bytes)
    this.#promisedBytes = bytes
  }
}

function overloaded (): RequestError {
  const message = 'the bodies of requests under way take all the memory that they may (HTTP_BODY_BUDGET_BYTES)'
  return new RequestError('overloaded', message, { retryable: true })
}
