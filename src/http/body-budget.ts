import { RequestError } from '../problems.ts'

// Less is not worth keeping a promise for.
const MIN_PROMISED_BYTES = 32 * 1024
// How long what a client has announced is kept for it without a byte of it coming.
const PROMISE_MS = 1000

/**
 * The memory that bodies may take, all together. What clients announce is kept for them as long as they send: of a crowd that sends more than
 * there is room for, the first come to an end and the rest are refused with their headers, and not after most of it was sent in vain.
 * Who announces much and sends little keeps it from others for a moment only.
 */
export class BodyBudget {
  readonly #limitBytes: number
  readonly #promised = new Set<BodyClaim>()
  #heldBytes = 0
  #promisedBytes = 0
  #lookedMs = -Infinity

  constructor (limitBytes: number) {
    this.#limitBytes = limitBytes
  }

  /** What is in memory. */
  get heldBytes (): number {
    return this.#heldBytes
  }

  /** For one request. It holds nothing yet. */
  claim (): BodyClaim {
    return new BodyClaim(this)
  }

  /**
   * For claims: whether one may take so much in all.
   *
   * @throws RequestError `overloaded` when it does not fit beside those of others. One alone always fits, however large: otherwise it never could
   */
  refuseBeyond (claim: BodyClaim, bytes: number): void {
    if (this.#fits(claim, bytes)) return
    throw new RequestError('overloaded', 'the bodies of requests under way take all the memory that they may (HTTP_BODY_BUDGET_BYTES)', { retryable: true })
  }

  /** For claims: what one holds and is promised from now on. */
  exchange (claim: BodyClaim, heldBytes: number, promisedBytes: number): void {
    this.#heldBytes += heldBytes - claim.heldBytes
    this.#promisedBytes += promisedBytes - claim.promisedBytes
    if (promisedBytes > 0) this.#promised.add(claim)
    else if (claim.promisedBytes > 0) this.#promised.delete(claim)
  }

  #fits (claim: BodyClaim, bytes: number): boolean {
    const ofOthers = (): number => this.#heldBytes - claim.heldBytes + this.#promisedBytes - claim.promisedBytes
    const isFitting = (): boolean => ofOthers() === 0 || ofOthers() + bytes <= this.#limitBytes
    if (isFitting() || this.#promisedBytes === 0) return isFitting()
    this.#dropStale()
    return isFitting()
  }

  // All of them are looked at, so not for each of a crowd that is refused.
  #dropStale (): void {
    const nowMs = performance.now()
    if (nowMs - this.#lookedMs < PROMISE_MS / 10) return
    this.#lookedMs = nowMs
    for (const claim of this.#promised) {
      if (nowMs - claim.progressMs > PROMISE_MS) claim.dropPromise()
    }
  }
}

/** What one request's body takes of the budget. Give it back by holding 0. */
export class BodyClaim {
  readonly #budget: BodyBudget
  heldBytes = 0
  /** What is announced and has not come yet. */
  promisedBytes = 0
  /** When something of it came last. */
  progressMs = 0

  constructor (budget: BodyBudget) {
    this.#budget = budget
  }

  /** So much is to come. @throws RequestError `overloaded` */
  announce (bytes: number): void {
    this.#budget.refuseBeyond(this, this.heldBytes + bytes)
    this.progressMs = performance.now()
    this.#exchange(this.heldBytes, bytes < MIN_PROMISED_BYTES ? 0 : bytes)
  }

  /** So many bytes are in memory from now on, more or fewer than before. @throws RequestError `overloaded`; then it holds what it held */
  hold (bytes: number): void {
    const moreBytes = bytes - this.heldBytes
    if (moreBytes > this.promisedBytes) this.#budget.refuseBeyond(this, bytes)
    if (this.promisedBytes > 0) this.progressMs = performance.now()
    this.#exchange(bytes, bytes === 0 ? 0 : Math.max(0, this.promisedBytes - Math.max(0, moreBytes)))
  }

  dropPromise (): void {
    this.#exchange(this.heldBytes, 0)
  }

  #exchange (heldBytes: number, promisedBytes: number): void {
    this.#budget.exchange(this, heldBytes, promisedBytes)
    this.heldBytes = heldBytes
    this.promisedBytes = promisedBytes
  }
}
