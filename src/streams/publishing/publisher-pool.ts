import { ByteBudget } from '../common/budget.ts'
import { StreamsError } from '../errors.ts'
import type { PublishResult } from './outcome.ts'
import { Publisher, type PublisherOptions } from './publisher.ts'
import { PublisherSession, tooManyUnconfirmed, type PublishSession } from './publish-session.ts'

export interface PublisherPoolOptions extends PublisherOptions {
  confirmTimeoutMs: number
  /** Bytes of messages that wait for confirms, of all requests together. */
  publishBudgetBytes: number
  /** Publishers that are declared on the broker at a time. */
  maxPublishers: number
  /** A publisher nobody has used for so long is deleted on the broker. */
  publisherIdleMs: number
}

export interface PublishOptions {
  /** Publisher reference; every message of the request then has a publishing id. */
  publisher?: string | undefined
  /** Refuse with `expectation_failed` unless the broker's last id is this. */
  expectedLastPublishingId?: bigint | undefined
  /** The caller went away: what was not yet sent is not sent. */
  signal?: AbortSignal | undefined
}

// What was read from a connection whose body is published while it arrives: a chunk that is being cut into messages,
// and those behind it.
const STREAM_SOURCE_BYTES = 192 * 1024

/**
 * One publisher for each (stream, reference) in use, the least recently used ones given up when there are too many.
 */
export class PublisherPool {
  readonly #options: PublisherPoolOptions
  readonly #budget: ByteBudget
  // In the order of use: the first is the least recently used one.
  readonly #publishers = new Map<string, Publisher>()
  readonly #totals = { confirmed: 0, duplicates: 0, failed: 0, unknown: 0 }
  #isDraining = false

  constructor (options: PublisherPoolOptions) {
    this.#options = options
    this.#budget = new ByteBudget(options.publishBudgetBytes)
  }

  get size (): number {
    return this.#publishers.size
  }

  get usedBytes (): number {
    return this.#budget.usedBytes
  }

  get totals (): Readonly<{ confirmed: number, duplicates: number, failed: number, unknown: number }> {
    return this.#totals
  }

  /**
   * Begins a request.
   *
   * @param stream the broker's name of the stream
   * @param isStreamed its batches are made while its body arrives
   * @throws StreamsError `draining`; `overloaded` when all publishers are in use, or there is no room for what a
   *   streamed request holds
   */
  session (stream: string, options: PublishOptions, isStreamed: boolean): PublishSession {
    if (this.#isDraining) throw draining()
    // Its first batch would be refused, but who knows when that comes.
    if (isStreamed && !this.#budget.hasRoomFor(STREAM_SOURCE_BYTES)) throw tooManyUnconfirmed(this.#budget)
    const publisher = this.#use(stream, options.publisher)
    return new PublisherSession({
      publisher,
      budget: this.#budget,
      confirmTimeoutMs: this.#options.confirmTimeoutMs,
      expectedLastPublishingId: options.expectedLastPublishingId,
      signal: options.signal,
      sourceBytes: isStreamed ? STREAM_SOURCE_BYTES : 0,
      done: (result) => {
        publisher.users--
        publisher.lastUsedMs = performance.now()
        this.#count(result)
      }
    })
  }

  /**
   * Holds room for a request whose messages are still to be made, so that it is refused before that work and not after
   * it.
   *
   * @returns gives the room back; to be called once, right before the messages are written
   * @throws StreamsError `draining`, `overloaded`
   */
  reserve (bytes: number): () => void {
    if (this.#isDraining) throw draining()
    if (!this.#budget.tryTake(bytes)) throw tooManyUnconfirmed(this.#budget)
    return () => { this.#budget.give(bytes) }
  }

  drain (): void {
    this.#isDraining = true
  }

  /** Deletes publishers that nobody has used for a while, and what waits in the others for a caller who has left. */
  sweep (): void {
    const before = performance.now() - this.#options.publisherIdleMs
    for (const [key, publisher] of this.#publishers) {
      publisher.sweep()
      if (publisher.isIdle && publisher.lastUsedMs < before) this.#giveUp(key, publisher)
    }
  }

  close (): void {
    this.#isDraining = true
    for (const publisher of this.#publishers.values()) publisher.close()
    this.#publishers.clear()
  }

  #use (stream: string, reference: string | undefined): Publisher {
    const key = reference === undefined ? stream : `${stream}\0${reference}` // no name has a NUL in it
    let publisher = this.#publishers.get(key)
    if (publisher === undefined) {
      if (this.#publishers.size >= this.#options.maxPublishers) this.#makeRoom()
      publisher = new Publisher(stream, reference, this.#options)
    } else {
      this.#publishers.delete(key)
    }
    this.#publishers.set(key, publisher)
    publisher.users++
    return publisher
  }

  #makeRoom (): void {
    for (const [key, publisher] of this.#publishers) {
      if (!publisher.isIdle) continue
      this.#giveUp(key, publisher)
      return
    }
    throw new StreamsError('overloaded', 'all publishers are in use; try again in a moment', {
      details: { limit: this.#options.maxPublishers }
    })
  }

  #giveUp (key: string, publisher: Publisher): void {
    this.#publishers.delete(key)
    publisher.close()
  }

  #count (result: PublishResult): void {
    this.#totals.confirmed += result.confirmed
    this.#totals.duplicates += result.duplicates
    for (const { status } of result.failures) this.#totals[status]++
    this.#totals.unknown += result.doubted?.count ?? 0
  }
}

function draining (): StreamsError {
  return new StreamsError('draining', 'the gateway is stopping and takes no new messages')
}
