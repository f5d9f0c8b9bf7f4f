import { ByteBudget } from '../common/budget.ts'
import { classify } from '../classify.ts'
import { Answers, tooMuch } from './answers.ts'
import type { ConnectionPool } from '../connections/connection-pool.ts'
import type { Locator } from '../topology/locator.ts'
import { StreamsError } from '../errors.ts'
import { Reader } from './reader.ts'
import { Subscription } from '../connections/subscription.ts'
import type { StreamEnds } from '../topology/stream-ends.ts'

export interface ReaderPoolOptions {
  connections: ConnectionPool
  locator: Locator
  ends: StreamEnds
  /** Bytes of chunks in memory, of all readers and of the answers that are being written. */
  readBudgetBytes: number
  /** Bytes of chunks that one reader has at hand. */
  readerWindowBytes: number
  /** Subscriptions on the broker at a time. */
  maxReaders: number
  /** A reader nobody has polled for so long is closed. */
  readerIdleMs: number
  /** A sub-entry batch that would be larger is not expanded. */
  maxExpandedSubEntryBytes: number
}

// What the first chunk of a subscription is taken to be, before it has come: larger ones are rare, as the broker makes
// a chunk of what comes together.
const FIRST_CHUNK_BYTES = 512 * 1024
const SMALL_ANSWER_BYTES = 32 * 1024

/**
 * The warm readers: subscriptions at the positions where polls left off. A poll takes the one whose window has its
 * offset; when there is none, a new one is opened, and the one that was not used for longest gives way.
 */
export class ReaderPool {
  readonly #options: ReaderPoolOptions
  readonly #budget: ByteBudget
  readonly answers: Answers
  readonly #readers = new Map<string, Set<Reader>>()
  readonly #opening = new Map<string, Promise<Reader>>()
  #count = 0

  constructor (options: ReaderPoolOptions) {
    this.#options = options
    this.#budget = new ByteBudget(options.readBudgetBytes)
    this.answers = new Answers(this.#budget, (neededBytes) => { this.#relieve(neededBytes) })
  }

  get size (): number {
    return this.#count
  }

  get usedBytes (): number {
    return this.#budget.usedBytes
  }

  /**
   * A reader whose window has the offset, with the caller counted among its users: give it back with `release`.
   *
   * @param isReachable the offset is known to be no further than the stream's end
   * @throws StreamsError `offset_out_of_range`; `overloaded` when the budget is spent or all readers are in use; ...
   */
  async acquire (stream: string, offset: number, isReachable: boolean): Promise<Reader> {
    this.refuseWhenFull()
    const reader = this.#find(stream, offset) ?? await this.#open(stream, offset, isReachable)
    reader.users++
    return reader
  }

  /** @throws StreamsError `overloaded` when there is no room for even a small answer */
  refuseWhenFull (): void {
    if (this.#budget.hasRoomFor(SMALL_ANSWER_BYTES)) return
    this.#relieve(SMALL_ANSWER_BYTES)
    if (!this.#budget.hasRoomFor(SMALL_ANSWER_BYTES)) throw tooMuch(this.#budget)
  }

  release (reader: Reader): void {
    reader.users--
    reader.lastUsedMs = performance.now()
  }

  /** How far the stream goes at least, by what its readers have seen; 0 when nothing is known. */
  knownEnd (stream: string): number {
    let end = 0
    for (const reader of this.#readers.get(stream) ?? []) {
      if (reader.failure === undefined && reader.arrivals > 0) end = Math.max(end, reader.position)
    }
    return end
  }

  /** Wakes every waiting poll. */
  wakeAll (): void {
    for (const readers of this.#readers.values()) {
      for (const reader of readers) reader.wake()
    }
  }

  /** The stream is gone: so are its readers, and who waits on them looks for it anew. */
  drop (stream: string): void {
    for (const reader of [...this.#readers.get(stream) ?? []]) {
      reader.close(new StreamsError('stream_not_available', 'the stream was deleted'))
    }
  }

  /** Closes readers that nobody has polled for a while. */
  sweep (): void {
    const before = performance.now() - this.#options.readerIdleMs
    for (const reader of this.#idleReaders()) {
      if (reader.lastUsedMs < before) this.#closeIdle(reader)
    }
  }

  close (): void {
    const stopping = new StreamsError('draining', 'the gateway is stopping')
    for (const reader of [...this.#readers.values()].flatMap((set) => [...set])) reader.close(stopping)
  }

  #find (stream: string, offset: number): Reader | undefined {
    let best: Reader | undefined
    for (const reader of this.#readers.get(stream) ?? []) {
      if (reader.covers(offset) && (best === undefined || reader.position > best.position)) best = reader
    }
    return best
  }

  // Polls that arrive together for the same offset share one subscription.
  async #open (stream: string, offset: number, isReachable: boolean): Promise<Reader> {
    const key = `${offset} ${stream}`
    let opening = this.#opening.get(key)
    if (opening === undefined) {
      opening = this.#subscribe(stream, offset, isReachable).finally(() => { this.#opening.delete(key) })
      this.#opening.set(key, opening)
    }
    return await opening
  }

  async #subscribe (stream: string, offset: number, isReachable: boolean): Promise<Reader> {
    if (!isReachable) await this.#refuseBeyondEnd(stream, offset)
    if (this.#count >= this.#options.maxReaders) this.#makeRoom()
    const giveBack = this.#takeFirstChunk()
    this.#count++
    let isOpen = false
    try {
      const { locator, connections } = this.#options
      const { node, isLeader } = await locator.member(stream)
      const subscription = await Subscription.open(connections, node, stream, { type: 'offset', offset }, new Map())
      const reader = this.#add(subscription, offset, isLeader, giveBack)
      isOpen = true
      return reader
    } catch (error) {
      if (!isOpen) this.#count--
      giveBack()
      this.#options.locator.forget(stream)
      throw classify(error)
    }
  }

  // A chunk is on its way as soon as there is a subscription: what it will take is taken before. Returns how to give it
  // back.
  #takeFirstChunk (): () => void {
    const bytes = Math.min(FIRST_CHUNK_BYTES, this.#options.readerWindowBytes)
    if (!this.#budget.hasRoomFor(bytes)) this.#relieve(bytes)
    if (!this.#budget.tryTake(bytes)) throw tooMuch(this.#budget)
    let isHeld = true
    return () => {
      if (isHeld) this.#budget.give(bytes)
      isHeld = false
    }
  }

  #add (subscription: Subscription, offset: number, isLeader: boolean, whenFirstChunk: () => void): Reader {
    const { readerWindowBytes, maxExpandedSubEntryBytes } = this.#options
    const reader = new Reader(subscription, offset, isLeader, {
      budget: this.#budget,
      windowBytes: readerWindowBytes,
      maxExpandedSubEntryBytes,
      whenFirstChunk,
      onPressure: () => { this.#relieve() },
      onEnd: (ended) => { this.#remove(ended) }
    })
    if (reader.failure !== undefined) throw reader.failure // what came with the answer was damaged
    const readers = this.#readers.get(reader.stream)
    if (readers === undefined) this.#readers.set(reader.stream, new Set([reader]))
    else readers.add(reader)
    return reader
  }

  #remove (reader: Reader): void {
    const readers = this.#readers.get(reader.stream)
    if (readers?.delete(reader) !== true) return
    if (readers.size === 0) this.#readers.delete(reader.stream)
    this.#count--
    if (reader.failure?.code !== 'draining') this.#options.locator.forget(reader.stream)
  }

  // The broker attaches a subscription beyond the end at the end, without a word.
  async #refuseBeyondEnd (stream: string, offset: number): Promise<void> {
    const { ends } = this.#options
    if (offset <= this.knownEnd(stream) || offset <= await ends.committedChunkId(stream)) return
    const { firstOffset, nextOffset } = await ends.bounds(stream)
    if (offset <= nextOffset) return
    const lastOffset = (await ends.lastMessage(stream)) ?? null
    throw new StreamsError(
      'offset_out_of_range',
      `the stream ends before offset ${offset}: the next offset is ${nextOffset}`,
      { details: { firstOffset, lastOffset } }
    )
  }

  #makeRoom (): void {
    const [oldest] = this.#idleReaders().sort((a, b) => a.lastUsedMs - b.lastUsedMs)
    if (oldest === undefined) {
      throw new StreamsError('overloaded', 'all readers are in use; try again in a moment', {
        details: { limit: this.#options.maxReaders }
      })
    }
    this.#closeIdle(oldest)
  }

  // No room for what is needed: what nobody is waiting for goes, the oldest first.
  #relieve (neededBytes = 0): void {
    for (const reader of this.#idleReaders().sort((a, b) => a.lastUsedMs - b.lastUsedMs)) {
      if (this.#budget.hasRoomFor(neededBytes)) return
      this.#closeIdle(reader)
    }
  }

  #idleReaders (): Reader[] {
    const idle: Reader[] = []
    for (const readers of this.#readers.values()) {
      for (const reader of readers) if (reader.users === 0) idle.push(reader)
    }
    return idle
  }

  #closeIdle (reader: Reader): void {
    reader.close(new StreamsError('draining', 'the reader was not used'))
  }
}
