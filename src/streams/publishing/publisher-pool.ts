import type { ByteBudget } from '../common/budget.ts'
import type { Cap, Holder } from '../common/cap.ts'
import { classifyResponseCode } from '../classify.ts'
import { Lease } from '../common/lease.ts'
import type { Traffic } from '../common/traffic.ts'
import { shuttingDown, type Ended } from '../ended.ts'
import { StreamsError } from '../errors.ts'
import { ResponseCode, type Compression } from '../protocol/index.ts'
import type { Compressor } from './compressor.ts'
import type { PublishResult } from './outcome.ts'
import { PackingSession } from './packing-session.ts'
import { Publisher, type PublisherOptions } from './publisher.ts'
import { PublishSession, tooManyUnconfirmed, type SessionOptions, type StreamedSession } from './publish-session.ts'

/** What is kept, and for how long. */
export interface PublisherPoolLimits {
  /** How long a message may wait for its confirm. */
  confirmTimeoutMs: number
  /** A publisher that was not used for this time is deleted on the broker. */
  publisherIdleMs: number
}

export interface PublisherPoolOptions {
  /** Bytes of messages that wait for confirms, of all requests together. */
  budget: ByteBudget
  /** Publishers that are declared on the broker at a time, of all pools together. */
  cap: Cap
  publisher: PublisherOptions
  limits: PublisherPoolLimits
  /** Of all pools together. */
  compressor: Compressor
  /** Of all pools together. */
  traffic: Traffic
}

export interface PublishOptions {
  /** Publisher reference; every message of the request then has a publishing id. */
  publisher?: string | undefined
  /** Refuse with `expectation_failed` unless the broker's last id is this. */
  expectedLastPublishingId?: bigint | undefined
  /** Aborts when the caller has gone away: what was not sent by then is not sent. */
  signal?: AbortSignal | undefined
  /** Among how many streams the messages of the request are spread, at most; they share what one request may hold. */
  streams?: number | undefined
}

export interface StreamedPublishOptions extends PublishOptions {
  /** Messages are packed into compressed entries. Not with a publisher reference. See `canCompress`. */
  compression?: Compression | undefined
}

// What a streamed publish holds of its body: a chunk that is being cut into messages, and those behind it.
const STREAM_SOURCE_BYTES = 192 * 1024
// It must not fill the budget that all share.
const MAX_REQUEST_BYTES = 4 * 1024 * 1024

/**
 * One publisher for each (stream, reference) in use. When there are too many, the least recently used ones are closed.
 */
export class PublisherPool implements Holder {
  readonly #options: PublisherPoolOptions
  // In the order of use: the first is the least recently used one.
  readonly #publishers = new Map<string, Publisher>()
  readonly #totals = { confirmed: 0, duplicates: 0, failed: 0, unknown: 0 }
  #isDraining = false

  constructor (options: PublisherPoolOptions) {
    this.#options = options
    options.cap.join(this)
  }

  get size (): number {
    return this.#publishers.size
  }

  get totals (): Readonly<{ confirmed: number, duplicates: number, failed: number, unknown: number }> {
    return this.#totals
  }

  /**
   * Begins a request.
   *
   * @param stream the broker's name of the stream
   * @throws StreamsError `draining`; `overloaded` when all publishers are in use, or there is no room for what a
   *   streamed request holds
   */
  session (stream: string, options: PublishOptions): PublishSession {
    return new PublishSession(this.#sessionOptions(stream, options, false))
  }

  /** Begins a request whose batches are made while its body arrives. @throws as `session` */
  streamedSession (stream: string, { compression, ...options }: StreamedPublishOptions): StreamedSession {
    const common = this.#sessionOptions(stream, options, true)
    if (compression === undefined) return new PublishSession(common)
    return new PackingSession(common, compression, this.#options.compressor)
  }

  #sessionOptions (stream: string, options: PublishOptions, isStreamed: boolean): SessionOptions {
    if (this.#isDraining) throw shuttingDown()
    // Its first batch would be refused, and that may come much later.
    const { budget, limits } = this.#options
    if (isStreamed && !budget.hasRoomFor(STREAM_SOURCE_BYTES)) throw tooManyUnconfirmed(budget)
    const { streams = 1 } = options
    const publisher = this.#use(stream, options.publisher)
    return {
      publisher,
      budget,
      confirmTimeoutMs: limits.confirmTimeoutMs,
      expectedLastPublishingId: options.expectedLastPublishingId,
      signal: options.signal,
      sourceBytes: isStreamed ? Math.ceil(STREAM_SOURCE_BYTES / streams) : 0,
      maxPendingBytes: Math.ceil(MAX_REQUEST_BYTES / streams),
      done: (result) => {
        publisher.users--
        publisher.lastUsedMs = performance.now()
        this.#count(stream, result)
      }
    }
  }

  /** See `PublishingPort.reserve`. @throws StreamsError `draining`, `overloaded` */
  reserve (bytes: number): Lease {
    if (this.#isDraining) throw shuttingDown()
    const { budget } = this.#options
    const lease = Lease.tryTake(budget, bytes)
    if (lease === undefined) throw tooManyUnconfirmed(budget)
    return lease
  }

  drain (): void {
    this.#isDraining = true
  }

  /** Whether a request uses one of them, or something is on its way. */
  get isInUse (): boolean {
    for (const publisher of this.#publishers.values()) if (!publisher.isIdle) return true
    return false
  }

  /** The streams that publishers are declared for. */
  get streams (): ReadonlySet<string> {
    return new Set([...this.#publishers.values()].map(({ stream }) => stream))
  }

  letGoOfOne (): boolean {
    for (const [key, publisher] of this.#publishers) {
      if (!publisher.isIdle) continue
      this.#end(key, publisher, { how: 'idle' })
      return true
    }
    return false
  }

  /** The broker no longer lets its user publish to the stream. */
  refuse (stream: string): void {
    const error = classifyResponseCode(ResponseCode.accessRefused)
    for (const [key, publisher] of this.#publishers) {
      if (publisher.stream === stream) this.#end(key, publisher, { how: 'lost', error })
    }
  }

  /**
   * Closes publishers that were not used for a while, and takes back what waits in the others for callers who have
   * left.
   */
  sweep (isRetired = false): void {
    const before = performance.now() - (isRetired ? 0 : this.#options.limits.publisherIdleMs)
    for (const [key, publisher] of this.#publishers) {
      publisher.sweep()
      if (publisher.isIdle && publisher.lastUsedMs < before) this.#end(key, publisher, { how: 'idle' })
    }
  }

  close (): void {
    this.#isDraining = true
    for (const [key, publisher] of this.#publishers) this.#end(key, publisher, { how: 'stopping' })
    this.#options.cap.leave(this)
  }

  #use (stream: string, reference: string | undefined): Publisher {
    const key = reference === undefined ? stream : `${stream}\0${reference}` // no name has a NUL in it
    let publisher = this.#publishers.get(key)
    if (publisher === undefined) {
      this.#takePlace()
      publisher = new Publisher(stream, reference, this.#options.publisher)
    } else {
      this.#publishers.delete(key)
    }
    this.#publishers.set(key, publisher)
    publisher.users++
    return publisher
  }

  #takePlace (): void {
    const { cap } = this.#options
    if (cap.take(this)) return
    throw new StreamsError('overloaded', 'all publishers are in use; try again in a moment', {
      details: { limit: cap.limit }
    })
  }

  #end (key: string, publisher: Publisher, ended: Ended): void {
    this.#publishers.delete(key)
    this.#options.cap.give()
    publisher.close(ended)
  }

  #count (stream: string, result: PublishResult): void {
    this.#totals.confirmed += result.confirmed
    this.#options.traffic.confirmed(stream, result.confirmed)
    this.#totals.duplicates += result.duplicates
    for (const { status } of result.failures) this.#totals[status]++
    this.#totals.unknown += result.doubted?.count ?? 0
  }
}
