import type { ByteBudget } from '../common/budget.ts'
import type { Lease } from '../common/lease.ts'
import { waitUntil } from '../common/wait.ts'
import type { Subscription } from '../connections/subscription.ts'
import type { Ended } from '../ended.ts'
import type { Chunk } from '../protocol/index.ts'
import type { Expansions } from './expansions.ts'
import { HeldChunk } from './held-chunk.ts'
import type { BatchBuilder } from './read-batch.ts'
import { Window, type Collected } from './window.ts'

export interface ReaderOptions {
  budget: ByteBudget
  /** How many bytes of chunks to have at hand. */
  windowBytes: number
  expansions: Expansions
  /** See `ReadFilter.key`: '' when the broker delivers all chunks. */
  filterKey: string
  /** Room for the first chunk: ended when that has come, or is not to be expected soon. */
  firstChunk: Lease
  /** Called when chunks have come in and the budget is exceeded. */
  onPressure (): void
  /** Called once, when the reader is of no more use and has let go of everything. */
  onEnd (reader: Reader): void
}

const MAX_CREDIT = 64
// Where there is something to read, the first chunk comes sooner.
const FIRST_CHUNK_MS = 1000

/**
 * A subscription and the window of chunks that it has delivered. All polls at any offset of the window share it, and
 * none of them owns it.
 */
export class Reader {
  readonly stream: string
  /** True when it reads from the leader, whose end of the stream is authoritative. */
  readonly isOnLeader: boolean
  readonly #subscription: Subscription
  readonly #options: ReaderOptions
  readonly #window: Window
  readonly #listeners = new Set<() => void>()
  readonly #watchers = new Set<() => void>()
  readonly #openedMs = performance.now()
  #averageChunkBytes = 0
  #creditLimit = 1
  #ended: Ended | undefined
  #fence: Promise<ReadonlyMap<string, bigint>> | undefined
  #lastCommittedChunkId: number | undefined
  #lastFirstOffset = -1
  /** How many chunks have arrived. */
  arrivals = 0
  lastArrivalMs = 0
  /** When its position last changed. */
  lastMoveMs = 0
  /** How many polls are at work on it. */
  users = 0
  lastUsedMs = performance.now()

  /** @param start the offset it was subscribed at */
  constructor (subscription: Subscription, start: number, isOnLeader: boolean, options: ReaderOptions) {
    this.stream = subscription.stream
    this.isOnLeader = isOnLeader
    this.#subscription = subscription
    this.#options = options
    this.#window = new Window(start, options.windowBytes)
    subscription.listen({
      delivered: (chunk, committedChunkId) => { this.#delivered(chunk, committedChunkId) },
      lost: (error) => { this.#end({ how: 'lost', error }) }
    })
  }

  /** Why it is of no more use; undefined while it is in use. */
  get ended (): Ended | undefined {
    return this.#ended
  }

  get filterKey (): string {
    return this.#options.filterKey
  }

  /** Whether the broker delivers only some of the chunks: it may look at many before it delivers one, or answers. */
  get isFiltered (): boolean {
    return this.filterKey !== ''
  }

  /** The offset after everything that was delivered, or that the broker has looked at and left out. */
  get position (): number {
    return this.#window.position
  }

  covers (offset: number): boolean {
    return this.#ended === undefined && this.#window.covers(offset)
  }

  /** True when the last chunk was the last one of the stream when it was sent. False says nothing. */
  get endedWithLastChunk (): boolean {
    return this.#lastCommittedChunkId !== undefined && this.#lastFirstOffset >= this.#lastCommittedChunkId
  }

  /** See `Window.collect`. */
  collect (from: number, into: BatchBuilder): Collected {
    const collected = this.#window.collect(from, into)
    if (collected.position > from) this.#topUp()
    return collected
  }

  /** See `Window.chunkAt`. */
  chunkAt (offset: number): HeldChunk | undefined {
    return this.#window.chunkAt(offset)
  }

  /** A follower has everything before the position. */
  reached (position: number): void {
    if (this.#window.reach(position)) this.#topUp()
  }

  /** See `Window.likelyAnswerBytes`. */
  likelyAnswerBytes (from: number, limit: number, maxBytes: number): number {
    return this.#window.likelyAnswerBytes(from, limit, maxBytes)
  }

  /** Asks the broker for more when nothing is on its way. */
  demand (): void {
    this.#topUp()
    if (this.#subscription.outstandingCredit === 0) this.#subscription.giveCredit(1)
  }

  /**
   * Resolves when every chunk that was readable at the call has been delivered. Calls of one turn share one request. A
   * filtered reader has one request at a time: a call may join an earlier one, and only the next call is sure to come
   * after it.
   *
   * @returns the statistics of the stream
   */
  async fence (): Promise<ReadonlyMap<string, bigint>> {
    this.demand()
    this.#fence ??= this.isFiltered
      ? this.#fenceNow().finally(() => { this.#fence = undefined })
      : Promise.resolve().then(async () => {
        this.#fence = undefined
        return await this.#fenceNow()
      })
    return await this.#fence
  }

  // The reader is in use until the broker answers, also when no poll waits for it any more: the next one goes on from
  // there.
  async #fenceNow (): Promise<ReadonlyMap<string, bigint>> {
    this.users++
    try {
      const stats = await this.#subscription.fence()
      this.#options.firstChunk.end()
      return stats
    } finally {
      this.users--
    }
  }

  /** The broker has left out everything before this offset that was not delivered. */
  scannedTo (offset: number): void {
    this.lastMoveMs = performance.now()
    if (this.#window.advance(offset)) for (const watcher of this.#watchers) watcher()
  }

  /** Resolves at the next arrival, at the reader's end, after `timeoutMs` or at the abort, whichever is first. */
  async news (timeoutMs: number, signal?: AbortSignal): Promise<void> {
    if (this.#ended !== undefined || timeoutMs <= 0) return
    this.#options.firstChunk.end()
    await waitUntil((done) => {
      this.#listeners.add(done)
      return () => { this.#listeners.delete(done) }
    }, { timeoutMs, signal })
  }

  /** Calls the watcher when the position has moved, and at the reader's end. Returns how to stop that. */
  watch (watcher: () => void): () => void {
    this.#watchers.add(watcher)
    return () => { this.#watchers.delete(watcher) }
  }

  /** Wakes all polls that wait for news. */
  wake (): void {
    const listeners = [...this.#listeners]
    this.#listeners.clear()
    for (const listener of listeners) listener()
    for (const watcher of this.#watchers) watcher()
  }

  /** Lets go of what was read. */
  trim (): void {
    this.#window.trim()
  }

  /** Lets go of the room for the first chunk when that would have come by now: the stream has nothing at the moment. */
  expectNothing (): void {
    if (performance.now() - this.#openedMs > FIRST_CHUNK_MS) this.#options.firstChunk.end()
  }

  /** Unsubscribes. Polls that are still at work on it look for another reader. */
  close (ended: Ended): void {
    this.#end(ended)
    this.#subscription.close()
  }

  #delivered (chunk: Chunk, committedChunkId: number | undefined): void {
    if (this.#ended !== undefined) return
    this.arrivals++
    this.lastArrivalMs = this.lastMoveMs = performance.now()
    this.#lastFirstOffset = chunk.firstOffset
    this.#lastCommittedChunkId = committedChunkId
    const { budget, expansions, firstChunk, onPressure } = this.#options
    firstChunk.end()
    this.#learnSize(chunk.byteLength)
    this.#creditLimit = Math.min(MAX_CREDIT, this.#creditLimit * 2)
    // The broker attaches a subscription beyond a lagging replica's end at that end: what lies below is not wanted.
    if (chunk.endOffset > this.position) this.#window.add(new HeldChunk(chunk, budget, expansions))
    this.#topUp()
    this.wake()
    if (budget.isExceeded) onPressure()
  }

  // An average of the last chunks, but at least the size of the last one.
  #learnSize (bytes: number): void {
    const average = this.#averageChunkBytes
    this.#averageChunkBytes = average === 0 ? bytes : Math.max(bytes, (average * 7 + bytes) / 8)
  }

  // Gives credit for as many chunks as fill the window ahead, judged by the size of those seen so far; few at first.
  #topUp (): void {
    if (this.#ended !== undefined) return
    const outstanding = this.#subscription.outstandingCredit
    const roomBytes = this.#window.roomAheadBytes
    if (roomBytes <= 0 || (this.#options.budget.isExceeded && outstanding > 0)) return
    const average = this.#averageChunkBytes
    const wanted = average === 0 ? 1 : Math.max(1, Math.floor(roomBytes / (average + 1)))
    const limit = Math.min(wanted, this.#creditLimit)
    // In halves, not one by one: a credit frame for each chunk would cost as much as the chunk.
    if (outstanding <= limit / 2) this.#subscription.giveCredit(limit - outstanding)
  }

  #end (ended: Ended): void {
    if (this.#ended !== undefined) return
    this.#ended = ended
    this.#window.clear()
    this.#options.firstChunk.end()
    this.wake()
    this.#options.onEnd(this)
  }
}
