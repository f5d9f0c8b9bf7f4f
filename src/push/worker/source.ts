import {
  waitUntil, type Broker, type ByteBudget, type ChunkPart, type HeldChunk, type LiveSource, type Position,
  type StreamsError
} from '../../streams/index.ts'
import type { Course } from './course.ts'
import { MessageQueue, type Amount } from './message-queue.ts'
import { copyOf, type PushMessage } from './push-message.ts'

// What is taken in advance. A subscription whose endpoint hangs holds this much.
const AHEAD_MESSAGES = 32
const AHEAD_BYTES = 32 * 1024
// What is handed out and not settled, at most, unless it is one message.
const MAX_HELD_BYTES = 8 * 1024 * 1024
// A message of this size needs no room in the budget, so that a subscription comes on when others hold all of it.
const ALWAYS_BYTES = 64 * 1024
const NO_ROOM_MS = 100

interface SourceShared {
  readonly broker: Broker
  /** What is copied is charged to it. */
  readonly memory: ByteBudget
}

/**
 * The messages of a stream in their order. It follows the stream and copies a few messages in advance, and holds no
 * memory of the readers, which others share.
 */
export class Source {
  readonly #course: Course
  readonly #broker: Broker
  readonly #ahead: Amount
  readonly #missed: (count: number) => void
  #live: LiveSource | undefined
  readonly #queue: MessageQueue
  // Where it continues while it follows nothing.
  #position = 0
  #failure: StreamsError | undefined
  #hasNews = false
  #wake: (() => void) | undefined
  #hasClosed = false
  #isWithoutRoom = false
  #hasPassed = false

  /** @param missed told how many messages retention has removed before they were read */
  constructor (
    course: Course, { broker, memory }: SourceShared, amount: Amount, missed: (count: number) => void
  ) {
    this.#course = course
    this.#broker = broker
    this.#missed = missed
    this.#queue = new MessageQueue(memory)
    this.#ahead = {
      maxMessages: Math.max(AHEAD_MESSAGES, amount.maxMessages),
      maxBytes: amount.maxMessages > 1 ? amount.maxBytes : AHEAD_BYTES
    }
  }

  /** Begins to follow. Returns the offset that the position stands for. @throws StreamsError; the signal's reason */
  async open (from: Position, signal: AbortSignal): Promise<number> {
    const { stream, filter } = this.#course
    this.rest()
    const listener = {
      news: () => {
        this.#hasNews = true
        this.#wake?.()
      },
      behind: () => {},
      failed: (error: StreamsError) => { this.fail(error) }
    }
    const live = await this.#broker.reading.follow(stream, from, filter, listener, signal)
    if (this.#hasClosed) live.close()
    else this.#live = live
    this.#position = live.position
    return live.position
  }

  /** Everything before this offset is settled or not wanted. */
  get position (): number {
    return this.#queue.offset ?? this.#live?.position ?? this.#position
  }

  /** Whether everything before the end of the course is settled. */
  get isDone (): boolean {
    return this.#queue.size === 0 && this.#hasReadAll
  }

  /** Whether everything before the end of the course was handed out. */
  get hasHandedAll (): boolean {
    return this.#queue.size === this.#queue.handed && this.#hasReadAll
  }

  /** Whether nothing is at hand. */
  get isEmpty (): boolean {
    return this.#queue.size === 0
  }

  /** Whether messages were passed that are not wanted, or are gone, since this was asked last. */
  hasPassed (): boolean {
    const had = this.#hasPassed
    this.#hasPassed = false
    return had
  }

  /**
   * The next messages, as many as there are at hand. A promise where they have to be waited for, but not for new ones.
   *
   * @throws StreamsError why the stream can no longer be followed
   */
  peek (amount: Amount, signal: AbortSignal): readonly PushMessage[] | Promise<readonly PushMessage[]> {
    this.#hasNews = false
    const filling = this.#queue.size < amount.maxMessages ? this.#fill(amount, signal) : undefined
    return filling === undefined ? this.#first(amount) : filling.then(() => this.#first(amount))
  }

  /** Everything up to and including the offset is settled. Returns how many messages that were. */
  settle (offset: number): number {
    return this.#queue.settle(offset)
  }

  /**
   * The next messages after those that were handed out before, while these are not settled yet.
   *
   * @param most so many
   * @throws as `peek`
   */
  async hand (most: number, signal: AbortSignal): Promise<readonly PushMessage[]> {
    this.#hasNews = false
    const { handed, bytes } = this.#queue
    const isFull = handed > 0 && bytes > MAX_HELD_BYTES
    if (!isFull) await this.#fill({ maxMessages: handed + 1, maxBytes: Infinity }, signal)
    if (this.#failure !== undefined && this.#queue.size === 0) throw this.#failure
    return this.#queue.hand(most)
  }

  /** How many messages are at hand beyond this number. */
  beyond (count: number): number {
    return this.#queue.size - count
  }

  /** It cannot be followed any longer: `peek` says so. */
  fail (error: StreamsError): void {
    this.#failure = error
    this.#hasNews = true
    this.#wake?.()
  }

  /** Settles when there may be more, the time is over or the signal aborts. */
  async news (timeoutMs: number | undefined, signal: AbortSignal): Promise<void> {
    if (this.#hasNews) return
    const boundMs = this.#isWithoutRoom ? Math.min(NO_ROOM_MS, timeoutMs ?? NO_ROOM_MS) : timeoutMs
    await waitUntil((done) => {
      this.#wake = done
      return () => {}
    }, { timeoutMs: boundMs, signal })
    this.#wake = undefined
  }

  /** With a filter: finds out how far the broker has come with what it leaves out. */
  look (): void {
    this.#live?.look()
  }

  /** Holds nothing until it is asked for messages again. */
  rest (): void {
    this.#position = this.position
    this.#live?.close()
    this.#live = undefined
    this.#queue.clear()
  }

  /** Calling it twice is fine. */
  close (): void {
    this.rest()
    this.#hasClosed = true
    this.#queue.close()
  }

  get #hasReadAll (): boolean {
    return (this.#live?.position ?? this.#position) >= (this.#course.end ?? Infinity)
  }

  #first (amount: Amount): readonly PushMessage[] {
    if (this.#failure !== undefined && this.#queue.size === 0) throw this.#failure
    return this.#queue.first(amount)
  }

  // Undefined when it is done at once.
  #fill (amount: Amount, signal: AbortSignal): Promise<void> | undefined {
    while (this.#queue.size < amount.maxMessages && !this.#hasReadAll) {
      const live = this.#live
      if (live === undefined) {
        if (this.#hasClosed || this.#failure !== undefined) return undefined
        return this.open({ type: 'offset', offset: this.#position }, signal).then(() => this.#fill(amount, signal))
      }
      const next = live.take()
      if (next === undefined) return undefined
      if (next.kind === 'gap') {
        const { from, to } = next.gap
        this.#missed(to + 1 - from)
        this.#hasPassed = true
        live.advance({ to: to + 1, lastEnd: from, count: 0 })
        continue
      }
      const adding = this.#add(live, next.chunk)
      if (adding instanceof Promise) return adding.then((more) => more ? this.#fill(amount, signal) : undefined)
      if (!adding) return undefined
    }
    return undefined
  }

  #add (live: LiveSource, chunk: HeldChunk): boolean | Promise<boolean> {
    const { end: before = Number.MAX_SAFE_INTEGER } = this.#course
    const bounds = { from: live.position, before }
    const { maxMessages: limit, maxBytes } = this.#ahead
    const { size, handed } = this.#queue
    const part = live.part(chunk, { ...bounds, limit: limit + handed - size, maxBytes })
    if (part instanceof Promise) return part.then((made) => this.#take(live, made, false))
    if (this.#take(live, part, false)) return true
    if (size > 0) return false
    // The chunk may have been let go, if it were not read in the same turn.
    const one = live.part(chunk, { ...bounds, limit: 1, maxBytes: 1 })
    return one instanceof Promise ? one.then((made) => this.#take(live, made, true)) : this.#take(live, one, true)
  }

  // False when there is no room for it.
  #take (live: LiveSource, part: ChunkPart, isSmallest: boolean): boolean {
    try {
      if (this.#live !== live) return false
      const { storedBytes, count } = part
      this.#isWithoutRoom = !this.#queue.mayTake(storedBytes, count)
      if (this.#isWithoutRoom && isSmallest && storedBytes <= ALWAYS_BYTES) {
        this.#queue.take(storedBytes, count)
        this.#isWithoutRoom = false
      }
      if (this.#isWithoutRoom) return false
      const copied = copyOf(part.pieces)
      const { replace } = this.#course
      const wanted = replace === undefined ? copied : copied.flatMap((message) => replace(message) ?? [])
      this.#queue.add(wanted)
      this.#hasPassed ||= wanted.length < part.to - part.from
      live.advance(part)
      return true
    } finally {
      part.release()
    }
  }
}
