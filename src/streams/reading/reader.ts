import type { ByteBudget } from '../common/budget.ts'
import type { Lease } from '../common/lease.ts'
import { waitUntil } from '../common/wait.ts'
import type { Ended } from '../ended.ts'
import type { Chunk } from '../protocol/index.ts'
import { HeldChunk } from './held-chunk.ts'
import { likelyAnswerBytes, type BatchBuilder } from './read-batch.ts'
import type { Subscription } from '../connections/subscription.ts'

export interface ReaderOptions {
  budget: ByteBudget
  /** How many bytes of chunks to have at hand. */
  windowBytes: number
  maxExpandedSubEntryBytes: number
  /** Room for the first chunk: ended when that has come, or is not to be expected soon. */
  firstChunk: Lease
  /** Chunks have come in and the budget is exceeded. */
  onPressure (): void
  /** Called once, when the reader is of no more use and has let go of everything. */
  onEnd (reader: Reader): void
}

/** What a reader's window had: up to `position` everything is in the batch; a hole in the offsets ends it early. */
export interface Collected { readonly position: number, readonly holeEnd: number | undefined }

const MAX_CREDIT = 64

/**
 * A subscription and the window of chunks it has delivered: `start` to `position`, with what was read already at its
 * front and what is read ahead at its end. Polls at any offset of the window share it; nobody owns it.
 */
export class Reader {
  readonly stream: string
  /** True when it reads from the leader, whose end of the stream is authoritative. */
  readonly isOnLeader: boolean
  readonly #subscription: Subscription
  readonly #options: ReaderOptions
  readonly #chunks: HeldChunk[] = []
  readonly #listeners = new Set<() => void>()
  #start: number
  #position: number
  // How far polls have come, the index of the first chunk beyond, and the size of what lies beyond.
  #reached: number
  #reachedIndex = 0
  #aheadBytes = 0
  #averageChunkBytes = 0
  #creditLimit = 1
  #ended: Ended | undefined
  #fence: Promise<ReadonlyMap<string, bigint>> | undefined
  #lastCommittedChunkId: number | undefined
  #lastFirstOffset = -1
  /** Chunks that have arrived. */
  arrivals = 0
  lastArrivalMs = 0
  /** Polls at work on it. */
  users = 0
  lastUsedMs = performance.now()

  /** @param start the offset it was subscribed at */
  constructor (subscription: Subscription, start: number, isOnLeader: boolean, options: ReaderOptions) {
    this.stream = subscription.stream
    this.isOnLeader = isOnLeader
    this.#subscription = subscription
    this.#options = options
    this.#start = start
    this.#position = start
    this.#reached = start
    subscription.listen({
      delivered: (chunk, committedChunkId) => { this.#delivered(chunk, committedChunkId) },
      lost: (error) => { this.#end({ how: 'lost', error }) }
    })
  }

  /** Why it is of no more use; undefined while it is. */
  get ended (): Ended | undefined {
    return this.#ended
  }

  /** The offset after everything that was delivered. */
  get position (): number {
    return this.#position
  }

  covers (offset: number): boolean {
    return this.#ended === undefined && offset >= this.#start && offset <= this.#position
  }

  /** True when the last chunk was the last one of the stream as it was sent. False says nothing. */
  get endedWithLastChunk (): boolean {
    return this.#lastCommittedChunkId !== undefined && this.#lastFirstOffset >= this.#lastCommittedChunkId
  }

  /** Moves messages from `from` on into the batch: until it is full, the window ends, or offsets are missing. */
  collect (from: number, into: BatchBuilder): Collected {
    let position = from
    for (let index = this.#indexOf(from); index < this.#chunks.length; index++) {
      const held = this.#chunks[index]
      if (held === undefined || into.isFull) break
      const { firstOffset, endOffset } = held.chunk
      if (firstOffset > position) return { position, holeEnd: firstOffset }
      position = held.collect(position, into)
      if (position < endOffset) break
    }
    this.#consumed(position)
    return { position, holeEnd: undefined }
  }

  /**
   * What an answer from there on would take at most, by what the window has: an estimate from the size of its chunks.
   */
  likelyAnswerBytes (from: number, limit: number, maxBytes: number): number {
    let bytes = 0
    let messages = 0
    for (
      let index = this.#indexOf(from);
      index < this.#chunks.length && bytes < maxBytes && messages < limit;
      index++
    ) {
      const held = this.#chunks[index]
      if (held === undefined) break
      const { firstOffset, endOffset } = held.chunk
      const wanted = Math.min(limit - messages, endOffset - Math.max(from, firstOffset))
      messages += wanted
      bytes += held.costBytes * wanted / (endOffset - firstOffset)
    }
    return bytes <= maxBytes
      ? likelyAnswerBytes(bytes, messages)
      : likelyAnswerBytes(maxBytes, (messages * maxBytes) / bytes)
  }

  /** Asks the broker for more, when there is nothing on its way. */
  demand (): void {
    this.#topUp()
    if (this.#subscription.outstandingCredit === 0) this.#subscription.giveCredit(1)
  }

  /**
   * Resolves when every chunk that was readable at the call has been delivered. Calls of one turn share one request.
   *
   * @returns the statistics of the stream
   */
  async fence (): Promise<ReadonlyMap<string, bigint>> {
    this.demand()
    this.#fence ??= Promise.resolve().then(async () => {
      this.#fence = undefined
      const stats = await this.#subscription.fence()
      this.#options.firstChunk.end()
      return stats
    })
    return await this.#fence
  }

  /** Resolves at the next arrival, at the reader's end, after `timeoutMs` or at the abort, whichever is first. */
  async news (timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (this.#ended !== undefined || timeoutMs <= 0) return
    this.#options.firstChunk.end()
    await waitUntil((done) => {
      this.#listeners.add(done)
      return () => { this.#listeners.delete(done) }
    }, { timeoutMs, signal })
  }

  /** Wakes all who wait for news. */
  wake (): void {
    const listeners = [...this.#listeners]
    this.#listeners.clear()
    for (const listener of listeners) listener()
  }

  /** Unsubscribes. Polls that are still at work on it look for another reader. */
  close (ended: Ended): void {
    this.#end(ended)
    this.#subscription.close()
  }

  #delivered (chunk: Chunk, committedChunkId: number | undefined): void {
    if (this.#ended !== undefined) return
    this.arrivals++
    this.lastArrivalMs = performance.now()
    this.#lastFirstOffset = chunk.firstOffset
    this.#lastCommittedChunkId = committedChunkId
    const { budget, maxExpandedSubEntryBytes, firstChunk, onPressure } = this.#options
    firstChunk.end()
    const size = chunk.byteLength
    this.#averageChunkBytes =
      this.#averageChunkBytes === 0 ? size : Math.max(size, (this.#averageChunkBytes * 7 + size) / 8)
    this.#creditLimit = Math.min(MAX_CREDIT, this.#creditLimit * 2)
    // A subscription at an offset beyond a lagging replica's end is attached at its end instead: what lies below is not
    // wanted.
    if (chunk.endOffset > this.#position) {
      const held = new HeldChunk(chunk, budget, maxExpandedSubEntryBytes)
      this.#chunks.push(held)
      this.#position = chunk.endOffset
      this.#aheadBytes += size
    }
    this.#topUp()
    this.wake()
    if (budget.isExceeded) onPressure()
  }

  #consumed (position: number): void {
    if (position <= this.#reached) return
    this.#reached = position
    for (
      let held = this.#chunks[this.#reachedIndex];
      held !== undefined && held.chunk.endOffset <= position;
      held = this.#chunks[this.#reachedIndex]
    ) {
      this.#aheadBytes = Math.max(0, this.#aheadBytes - held.chunk.byteLength)
      this.#reachedIndex++
    }
    this.#dropRead()
    this.#topUp()
  }

  // What was read stays while there is room, for the poll that comes a little later; then the oldest goes.
  #dropRead (): void {
    let bytes = this.#aheadBytes
    let keepFrom = this.#reachedIndex
    while (keepFrom > 0) {
      bytes += this.#chunks[keepFrom - 1]?.costBytes ?? 0
      if (bytes > this.#options.windowBytes) break
      keepFrom--
    }
    for (const held of this.#chunks.splice(0, keepFrom)) {
      this.#start = held.chunk.endOffset
      held.release()
    }
    this.#reachedIndex -= keepFrom
  }

  // Credit for as many chunks as fill the window ahead, by the size of those seen so far; carefully at first.
  #topUp (): void {
    if (this.#ended !== undefined) return
    const { windowBytes, budget } = this.#options
    const outstanding = this.#subscription.outstandingCredit
    const room = windowBytes - this.#aheadBytes
    if (room <= 0 || (budget.isExceeded && outstanding > 0)) return
    const wanted = this.#averageChunkBytes === 0 ? 1 : Math.max(1, Math.floor(room / (this.#averageChunkBytes + 1)))
    const limit = Math.min(wanted, this.#creditLimit)
    // In halves, not one by one: a credit frame for each chunk would cost as much as the chunk.
    if (outstanding <= limit / 2) this.#subscription.giveCredit(limit - outstanding)
  }

  // The first chunk with something at or after the offset.
  #indexOf (offset: number): number {
    let low = 0
    let high = this.#chunks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#chunks[middle]?.chunk.endOffset ?? Infinity) <= offset) low = middle + 1
      else high = middle
    }
    return low
  }

  #end (ended: Ended): void {
    if (this.#ended !== undefined) return
    this.#ended = ended
    for (const held of this.#chunks.splice(0)) held.release()
    this.#options.firstChunk.end()
    this.wake()
    this.#options.onEnd(this)
  }
}
