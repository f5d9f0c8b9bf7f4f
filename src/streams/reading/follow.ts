import { classify } from '../classify.ts'
import { Backoff } from '../common/backoff.ts'
import { Deadline } from '../common/deadline.ts'
import { pause } from '../common/wait.ts'
import { StreamsError } from '../errors.ts'
import { partOfChunk, type ChunkPart, type PartBounds } from './chunk-part.ts'
import type { ReadFilter } from './filter.ts'
import type { FollowListener, FollowState, LiveSource, Progress, Taken } from './live-source.ts'
import type { HeldChunk } from './held-chunk.ts'
import type { Reader } from './reader.ts'
import type { ReaderPool } from './reader-pool.ts'
import type { Tail } from './tail.ts'

/** What a follower needs of the others. */
export interface Company {
  tailOf: (reader: Reader) => Tail
  left: (tail: Tail) => void
  forget: (follow: Follow) => void
  delivered: (stream: string, messages: number) => void
}

export interface FollowOptions {
  readonly stream: string
  readonly offset: number
  /** Given: only the messages that it matches. */
  readonly filter: ReadFilter | undefined
  readonly listener: FollowListener
  readonly readers: ReaderPool
  readonly follows: Company
}

const FIRST_PAUSE_MS = 50
const MAX_PAUSE_MS = 1000
// How long a follower looks for a reader when all are in use.
const MAX_OVERLOADED_MS = 2000

/**
 * A follower of a stream. It holds a position and no data. Where its reader has moved on, it takes another one at its
 * own position. A broker that is away is waited for, however long that takes.
 */
export class Follow implements LiveSource {
  readonly stream: string
  readonly #filter: ReadFilter | undefined
  readonly #listener: FollowListener
  readonly #readers: ReaderPool
  readonly #follows: Company
  readonly #closing = new AbortController()
  #position: number
  #tail: Tail | undefined
  #isAttaching = false
  #isResting = false
  #hasEnded = false

  constructor ({ stream, offset, filter, listener, readers, follows }: FollowOptions) {
    this.stream = stream
    this.#filter = filter
    this.#position = offset
    this.#listener = listener
    this.#readers = readers
    this.#follows = follows
  }

  get position (): number {
    return this.#position
  }

  get isAtEnd (): boolean {
    return this.#tail !== undefined && this.#tail.reader.position === this.#position
  }

  /** @param isReachable the position is known to be no further than the stream's end */
  async begin (isReachable: boolean, signal: AbortSignal): Promise<void> {
    const reader = await this.#readers.acquire(this.stream, this.#position, isReachable, this.#filter)
    if (signal.aborted) this.#readers.release(reader)
    signal.throwIfAborted()
    this.#join(reader)
  }

  take (): Taken | undefined {
    const tail = this.#tail
    if (tail === undefined || this.#hasEnded) {
      if (this.#isResting) this.#attach()
      return undefined
    }
    const { reader } = tail
    const position = this.#position
    if (!reader.covers(position)) {
      if (reader.ended === undefined) this.#listener.behind()
      this.#attach()
      return undefined
    }
    const chunk = reader.chunkAt(position)
    const holeEnd = chunk?.chunk.firstOffset ?? reader.position
    if (holeEnd > position) {
      // A hole in the offsets is a record of the broker, which no reader sees, what the broker has left out for a
      // filter, or what retention has removed.
      const firstOffset = tail.firstOffsetAt(chunk)
      if (firstOffset === undefined) return undefined
      if (firstOffset > position) {
        return { kind: 'gap', gap: { from: position, to: Math.min(holeEnd, firstOffset) - 1 } }
      }
      this.#position = holeEnd
    }
    return chunk === undefined ? this.#atEnd(reader) : { kind: 'chunk', chunk }
  }

  part (chunk: HeldChunk, bounds: PartBounds): ChunkPart | Promise<ChunkPart> {
    return partOfChunk(chunk, this.#readers.answers, bounds, this.#filter)
  }

  advance ({ to, count }: Progress): void {
    this.#position = to
    this.#follows.delivered(this.stream, count)
    this.#tail?.reader.reached(to)
  }

  look (): void {
    if (this.isAtEnd) this.#tail?.look()
  }

  rest (): void {
    if (this.#tail === undefined) return
    this.#isResting = true
    this.#leave()
  }

  seek (offset: number): void {
    this.#position = offset
    this.#attach()
  }

  async state (): Promise<FollowState> {
    const nextOffset = this.#position
    const end = await this.#tail?.end(nextOffset).catch(() => undefined)
    if (end === undefined || this.#tail === undefined) {
      return { nextOffset: this.#position, lastOffset: null, lag: null, endOfStream: false }
    }
    const position = Math.max(nextOffset, this.#position)
    const endOfStream = end.isEnd && position === end.position
    const lastOffset = Math.max(end.lastOffset, position - 1)
    const lag = endOfStream ? 0 : lastOffset + 1 - position
    return { nextOffset: position, lastOffset: lastOffset < 0 ? null : lastOffset, lag, endOfStream }
  }

  /** The stream is gone, whatever has its name by now. */
  streamDeleted (): void {
    this.#fail(new StreamsError('stream_not_found', 'the stream was deleted'))
  }

  /** Calling it twice is fine. */
  close (): void {
    if (this.#closing.signal.aborted) return
    this.#hasEnded = true
    this.#closing.abort()
    this.#leave()
    this.#follows.forget(this)
  }

  news (): void {
    this.#listener.news()
  }

  // A follower that has caught up moves to the reader that is furthest: then one subscription serves all of them.
  #atEnd (reader: Reader): Taken | undefined {
    const other = this.#readers.acquireOther(reader, this.#position)
    if (other === undefined) {
      reader.demand()
      return undefined
    }
    this.#leave()
    this.#join(other)
    return this.take()
  }

  #join (reader: Reader): void {
    this.#tail = this.#follows.tailOf(reader)
    this.#tail.add(this)
  }

  #leave (): void {
    const tail = this.#tail
    if (tail === undefined) return
    this.#tail = undefined
    tail.remove(this)
    this.#readers.release(tail.reader)
    this.#follows.left(tail)
  }

  #attach (): void {
    this.#isResting = false
    this.#leave()
    if (this.#isAttaching || this.#hasEnded) return
    this.#isAttaching = true
    void this.#findReader().finally(() => { this.#isAttaching = false }).then(() => {
      if (this.#hasEnded) return
      // It was sent somewhere else in the moment after it had found one.
      if (this.#tail === undefined) this.#attach()
      else this.#listener.news()
    })
  }

  async #findReader (): Promise<void> {
    const backoff = new Backoff(FIRST_PAUSE_MS, MAX_PAUSE_MS)
    const overloaded = new Deadline(MAX_OVERLOADED_MS)
    while (!this.#hasEnded && this.#tail === undefined) {
      const position = this.#position
      try {
        // Not known to be reachable: another stream may have the name by now.
        const reader = await this.#readers.acquire(this.stream, position, false, this.#filter)
        if (this.#mayTake(reader, position)) this.#join(reader)
        else this.#readers.release(reader)
      } catch (error) {
        const failure = classify(error)
        if (!isPassing(failure) && (failure.code !== 'overloaded' || overloaded.hasPassed)) {
          this.#fail(failure)
          return
        }
        await pause(backoff.nextMs(), this.#closing.signal)
      }
    }
  }

  // It may have been closed or sent somewhere else meanwhile.
  #mayTake (reader: Reader, position: number): boolean {
    return !this.#hasEnded && reader.ended === undefined && position === this.#position
  }

  #fail (error: StreamsError): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#leave()
    this.#listener.failed(error)
  }
}

// A connection that vanished without a word shows itself by an answer that does not come.
function isPassing ({ code }: StreamsError): boolean {
  return code === 'broker_unavailable' || code === 'stream_not_available' || code === 'broker_timeout'
}
