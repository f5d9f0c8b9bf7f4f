/** For how long an idle caller saves what it does not use. */
export const BURST_SECONDS = 2

/**
 * A rate with a burst, by the generic cell rate algorithm: one number says when the bucket will be full. What is
 * charged may be more than there is: then the bucket is in debt, and nothing can be taken until it is paid.
 */
export class Bucket {
  /** What flows in. It may change while the bucket is used. */
  perSecond: number
  #fullAtMs = -Infinity

  constructor (perSecond: number) {
    this.perSecond = perSecond
  }

  /** What it holds when it is full. */
  get capacity (): number {
    return this.perSecond * BURST_SECONDS
  }

  /** What is there now; negative in debt. */
  remaining (nowMs: number): number {
    return this.capacity - this.secondsUntilFull(nowMs) * this.perSecond
  }

  secondsUntilFull (nowMs: number): number {
    return Math.max(0, this.#fullAtMs - nowMs) / 1000
  }

  /** How long until `amount` is there, or until the bucket is full when it never holds that much. */
  secondsUntil (amount: number, nowMs: number): number {
    return Math.max(0, Math.min(amount, this.capacity) - this.remaining(nowMs)) / this.perSecond
  }

  /** Takes what is there, and more. */
  charge (amount: number, nowMs: number): void {
    this.#fullAtMs = Math.max(this.#fullAtMs, nowMs) + amount / this.perSecond * 1000
  }
}
