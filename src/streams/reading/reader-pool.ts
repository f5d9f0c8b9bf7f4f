import type { ByteBudget } from '../common/budget.ts'
import type { Cap, Holder } from '../common/cap.ts'
import { Lease } from '../common/lease.ts'
import { classify } from '../classify.ts'
import type { ConnectionPool } from '../connections/connection-pool.ts'
import { Subscription } from '../connections/subscription.ts'
import { errorOf } from '../ended.ts'
import { StreamsError } from '../errors.ts'
import type { Locator } from '../topology/locator.ts'
import type { StreamEnds } from '../topology/stream-ends.ts'
import { Answers, tooMuchRead } from './answers.ts'
import type { Expansions } from './expansions.ts'
import { refuseBeyondEnd } from './beyond-end.ts'
import { UNFILTERED, type BrokerFilter } from './filter.ts'
import { Reader, type ReaderOptions } from './reader.ts'
import { Readers } from './readers.ts'

/** What is kept, and for how long. */
export interface ReaderPoolLimits {
  /** Bytes of chunks that one reader has at hand. */
  readerWindowBytes: number
  /** A reader that was not polled for this time is closed. */
  readerIdleMs: number
  /** Bytes of messages that one read with a filter looks at. */
  maxScanBytes: number
}

export interface ReaderPoolOptions {
  /** Bytes of chunks in memory, of all readers and of the answers that are being written. */
  budget: ByteBudget
  /** Subscriptions on the broker at a time, of all pools together. */
  cap: Cap
  /** Shared by all pools too. */
  expansions: Expansions
  connections: ConnectionPool
  locator: Locator
  ends: StreamEnds
  limits: ReaderPoolLimits
}

type OwnOptions = Pick<ReaderOptions, 'filterKey' | 'firstChunk'>

// What the first chunk of a subscription is assumed to take before it has come. Larger ones are rare: the broker makes
// a chunk of messages that arrive together.
const FIRST_CHUNK_BYTES = 512 * 1024
const SMALL_ANSWER_BYTES = 32 * 1024

/**
 * The warm readers: subscriptions at the positions where polls stopped. A poll takes the one whose window has its
 * offset. If no window has it, a reader is opened, and when there are too many the least recently used one is closed.
 */
export class ReaderPool implements Holder {
  readonly #options: ReaderPoolOptions
  readonly answers: Answers
  readonly maxScanBytes: number
  readonly #readers = new Readers()
  readonly #opening = new Map<string, Promise<Reader>>()
  #count = 0

  constructor (options: ReaderPoolOptions) {
    this.#options = options
    this.maxScanBytes = options.limits.maxScanBytes
    options.cap.join(this)
    const evictIdle = (neededBytes: number): void => { this.#evictIdle(neededBytes) }
    this.answers = new Answers(options.budget, evictIdle)
  }

  get size (): number {
    return this.#count
  }

  /**
   * A reader whose window has the offset, with the caller counted among its users: give it back with `release`.
   *
   * @param isReachable the offset is known to be no further than the stream's end
   * @param filter the reader need not have chunks without its filter values
   * @throws StreamsError `offset_out_of_range`; `overloaded` when the budget is spent or all readers are in use; ...
   */
  async acquire (
    stream: string, offset: number, isReachable: boolean, filter: BrokerFilter = UNFILTERED
  ): Promise<Reader> {
    this.refuseWhenFull()
    const reader = this.#readers.find(stream, offset, filter.key) ??
      await this.#open(stream, offset, isReachable, filter)
    reader.users++
    return reader
  }

  /** As `acquire`, but only a reader that is there already, and another one than the given one, with its filter. */
  acquireOther (than: Reader, offset: number): Reader | undefined {
    const reader = this.#readers.find(than.stream, offset, than.filterKey)
    if (reader === undefined || reader === than || reader.position <= than.position) return undefined
    reader.users++
    return reader
  }

  /** @throws StreamsError `overloaded` when there is no room for even a small answer */
  refuseWhenFull (): void {
    const { budget } = this.#options
    if (budget.hasRoomFor(SMALL_ANSWER_BYTES)) return
    this.#evictIdle(SMALL_ANSWER_BYTES)
    if (!budget.hasRoomFor(SMALL_ANSWER_BYTES)) throw tooMuchRead(budget)
  }

  release (reader: Reader): void {
    reader.users--
    reader.lastUsedMs = performance.now()
  }

  /** The offset that the stream reaches at least, by what its readers have seen; 0 when nothing is known. */
  knownEnd (stream: string): number {
    return this.#readers.knownEnd(stream)
  }

  /** Wakes every waiting poll. */
  wakeAll (): void {
    for (const reader of this.#readers.all) reader.wake()
  }

  /** The stream is gone, and its readers with it. Polls that wait on them look for the stream anew. */
  drop (stream: string): void {
    for (const reader of this.#readers.of(stream)) reader.close({ how: 'deleted' })
  }

  /** Whether a poll is at work. */
  get isInUse (): boolean {
    return this.#opening.size > 0 || this.#readers.all.some(({ users }) => users > 0)
  }

  /** The streams that there are readers of. */
  get streams (): readonly string[] {
    return this.#readers.streams
  }

  letGoOfOne (): boolean {
    let oldest: Reader | undefined
    for (const reader of this.#readers.idle) {
      if (oldest === undefined || reader.lastUsedMs < oldest.lastUsedMs) oldest = reader
    }
    if (oldest !== undefined) oldest.close({ how: 'idle' })
    return oldest !== undefined
  }

  /** Closes readers that were not polled for a while. */
  sweep (isRetired = false): void {
    for (const reader of this.#readers.all) reader.expectNothing()
    const before = performance.now() - (isRetired ? 0 : this.#options.limits.readerIdleMs)
    for (const reader of this.#readers.idle) {
      if (reader.lastUsedMs < before) reader.close({ how: 'idle' })
    }
  }

  close (): void {
    for (const reader of this.#readers.all) reader.close({ how: 'stopping' })
    this.#options.cap.leave(this)
  }

  // Polls that arrive together for the same offset share one subscription.
  async #open (stream: string, offset: number, isReachable: boolean, filter: BrokerFilter): Promise<Reader> {
    const key = `${offset} ${stream}\0${filter.key}`
    let opening = this.#opening.get(key)
    if (opening === undefined) {
      opening = this.#subscribe(stream, offset, isReachable, filter).finally(() => { this.#opening.delete(key) })
      this.#opening.set(key, opening)
    }
    return await opening
  }

  async #subscribe (
    stream: string, offset: number, isReachable: boolean, { key, properties }: BrokerFilter
  ): Promise<Reader> {
    if (!isReachable) await refuseBeyondEnd(this.#options.ends, stream, offset, this.knownEnd(stream))
    const firstChunk = this.#leaseFirstChunk()
    let isOpen = false
    let hasPlace = false
    try {
      this.#takePlace()
      hasPlace = true
      const { locator, connections } = this.#options
      const { node, isLeader } = await locator.member(stream)
      const spec = { type: 'offset', offset } as const
      const subscription = await Subscription.open(connections, node, stream, spec, properties, key !== '')
      const reader = this.#add(subscription, offset, isLeader, { filterKey: key, firstChunk })
      isOpen = true
      return reader
    } catch (error) {
      if (hasPlace && !isOpen) this.#givePlace()
      firstChunk.end()
      this.#options.locator.forget(stream)
      throw classify(error)
    }
  }

  // A chunk is on its way once the broker has the subscription: room for it is held before.
  #leaseFirstChunk (): Lease {
    const { budget, limits } = this.#options
    const bytes = Math.min(FIRST_CHUNK_BYTES, limits.readerWindowBytes)
    if (!budget.hasRoomFor(bytes)) this.#evictIdle(bytes)
    const lease = Lease.tryTake(budget, bytes)
    if (lease === undefined) throw tooMuchRead(budget)
    return lease
  }

  #add (subscription: Subscription, start: number, isOnLeader: boolean, own: OwnOptions): Reader {
    const { budget, expansions, limits: { readerWindowBytes } } = this.#options
    const reader = new Reader(subscription, start, isOnLeader, {
      ...own,
      budget,
      windowBytes: readerWindowBytes,
      expansions,
      onPressure: () => { this.#evictIdle() },
      onEnd: (ended) => { this.#remove(ended) }
    })
    if (reader.ended !== undefined) throw errorOf(reader.ended) // what came with the answer was damaged
    this.#readers.add(reader)
    return reader
  }

  #remove (reader: Reader): void {
    if (!this.#readers.remove(reader)) return
    this.#givePlace()
    // A reader that was stopped or idle says nothing about the location of its stream.
    if (reader.ended?.how === 'lost' || reader.ended?.how === 'deleted') this.#options.locator.forget(reader.stream)
  }

  #takePlace (): void {
    const { cap } = this.#options
    if (!cap.take(this)) {
      throw new StreamsError('overloaded', 'all readers are in use; try again in a moment', {
        details: { limit: cap.limit }
      })
    }
    this.#count++
  }

  #givePlace (): void {
    this.#count--
    this.#options.cap.give()
  }

  // Evicts idle readers, the least recently used first and those of other pools last, until the bytes fit or none is
  // left. Then those in use let go of what they have kept for others.
  #evictIdle (neededBytes = 0): void {
    const { budget, cap } = this.#options
    while (!budget.hasRoomFor(neededBytes) && cap.makeRoom(this));
    if (budget.hasRoomFor(neededBytes)) return
    for (const reader of this.#readers.all) reader.trim()
  }
}
