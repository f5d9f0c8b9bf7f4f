import type { Limits } from '../caller.ts'
import { Bucket } from './bucket.ts'
import { Debtors } from './debtors.ts'

/** What a quota is about. */
export const QUOTAS = ['requests', 'publish-bytes', 'read-bytes', 'concurrent-requests'] as const

export type QuotaName = typeof QUOTAS[number]

/** What a request moves: the bytes of a body, those of an answer, or neither. */
export type Traffic = 'publish' | 'read' | 'other'

/** Why a request has to wait, and for how long. */
export interface Refusal { readonly quota: QuotaName, readonly limit: number, readonly retryAfterSeconds: number }

/** Where a quota stands: `remaining` of `capacity`, and when it will be whole again. */
export interface Standing {
  readonly quota: QuotaName
  readonly capacity: number
  readonly remaining: number
  /** Undefined where time brings nothing back. */
  readonly secondsUntilFull: number | undefined
}

// Another request may end at any moment.
const RETRY_CONCURRENT_SECONDS = 1

/** How much one caller has used. A limit that is left out, or is 0, does not limit. */
export class Quota {
  readonly #requests: Bucket
  readonly #publishBytes: Bucket
  readonly #readBytes: Bucket
  /** Answers under way that wait until the debt of read bytes is paid. */
  readonly readers = new Debtors((nowMs) => this.#secondsUntilRead(nowMs))
  #maxConcurrent = 0
  #concurrent = 0

  constructor (limits: Limits) {
    this.#requests = new Bucket(0)
    this.#publishBytes = new Bucket(0)
    this.#readBytes = new Bucket(0)
    this.limit(limits)
  }

  /** Sets the limits. What was used under others stays used. */
  limit (limits: Limits): void {
    this.#requests.perSecond = limits.requestsPerSecond ?? 0
    this.#publishBytes.perSecond = limits.publishBytesPerSecond ?? 0
    this.#readBytes.perSecond = limits.readBytesPerSecond ?? 0
    this.#maxConcurrent = limits.concurrentRequests ?? 0
  }

  /**
   * Begins a request. One that moves bytes has to wait while those bytes are in debt.
   *
   * @returns why it may not begin; undefined when it has begun, and `end` has to be called
   */
  begin (traffic: Traffic, nowMs: number): Refusal | undefined {
    const refusal = this.#refusalOf(traffic, nowMs)
    if (refusal !== undefined) return refusal
    if (this.#requests.perSecond > 0) this.#requests.charge(1, nowMs)
    this.#concurrent++
    return undefined
  }

  /** Ends a request that has begun. */
  end (): void {
    this.#concurrent--
  }

  chargePublished (bytes: number, nowMs: number): void {
    if (this.#publishBytes.perSecond > 0) this.#publishBytes.charge(bytes, nowMs)
  }

  chargeRead (bytes: number, nowMs: number): void {
    if (this.#readBytes.perSecond > 0) this.#readBytes.charge(bytes, nowMs)
  }

  /** How long until the debt of published bytes is paid. */
  secondsUntilPublish (nowMs: number): number {
    return this.#publishBytes.perSecond > 0 ? this.#publishBytes.secondsUntil(0, nowMs) : 0
  }

  #secondsUntilRead (nowMs: number): number {
    return this.#readBytes.perSecond > 0 ? this.#readBytes.secondsUntil(0, nowMs) : 0
  }

  /** Where the quotas stand that limit the caller. */
  standings (nowMs: number): Standing[] {
    const standings: Standing[] = []
    for (const [quota, bucket] of this.#buckets()) {
      if (bucket.perSecond === 0) continue
      const capacity = Math.max(1, Math.floor(bucket.capacity))
      const remaining = Math.max(0, Math.floor(bucket.remaining(nowMs)))
      standings.push({ quota, capacity, remaining, secondsUntilFull: bucket.secondsUntilFull(nowMs) })
    }
    if (this.#maxConcurrent > 0) {
      const remaining = Math.max(0, this.#maxConcurrent - this.#concurrent)
      standings.push({
        quota: 'concurrent-requests', capacity: this.#maxConcurrent, remaining, secondsUntilFull: undefined
      })
    }
    return standings
  }

  /** Whether it says no more than a new one would. */
  isAtRest (nowMs: number): boolean {
    return this.#concurrent === 0 &&
      this.#buckets().every(([, bucket]) => bucket.perSecond === 0 || bucket.secondsUntilFull(nowMs) === 0)
  }

  #buckets (): Array<readonly [QuotaName, Bucket]> {
    return [
      ['requests', this.#requests], ['publish-bytes', this.#publishBytes], ['read-bytes', this.#readBytes]
    ]
  }

  #refusalOf (traffic: Traffic, nowMs: number): Refusal | undefined {
    if (this.#maxConcurrent > 0 && this.#concurrent >= this.#maxConcurrent) {
      return {
        quota: 'concurrent-requests', limit: this.#maxConcurrent, retryAfterSeconds: RETRY_CONCURRENT_SECONDS
      }
    }
    return refusedBy('requests', this.#requests, 1, nowMs) ??
      (traffic === 'publish' ? refusedBy('publish-bytes', this.#publishBytes, 0, nowMs) : undefined) ??
      (traffic === 'read' ? refusedBy('read-bytes', this.#readBytes, 0, nowMs) : undefined)
  }
}

function refusedBy (quota: QuotaName, bucket: Bucket, amount: number, nowMs: number): Refusal | undefined {
  if (bucket.perSecond === 0) return undefined
  const seconds = bucket.secondsUntil(amount, nowMs)
  return seconds > 0
    ? { quota, limit: bucket.perSecond, retryAfterSeconds: Math.max(1, Math.ceil(seconds)) }
    : undefined
}
