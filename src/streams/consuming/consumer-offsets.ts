import { classify } from '../classify.ts'
import type { ConnectionPool } from '../connections/connection-pool.ts'
import { StreamsError } from '../errors.ts'
import { resumeOffset } from '../offset.ts'
import type { ReaderPool } from '../reading/reader-pool.ts'
import type { StreamEnds } from '../topology/stream-ends.ts'
import { Resets } from './resets.ts'
import { ZeroCommits } from './zero-commits.ts'

/** What a store left on the broker. */
export interface Stored {
  /** The last offset processed. Any client may have stored it: any 64 bits. */
  readonly storedOffset: bigint
  /** Where reading resumes. */
  readonly nextOffset: bigint
}

export interface ConsumerOffset extends Stored {
  /** The first offset that is still there. */
  readonly firstOffset: number
  /** The offset of the last message; null when the stream has none. */
  readonly lastOffset: number | null
  /** Offsets from the next one to that of the last message. Some may be records of the broker's own: an upper bound. */
  readonly lag: bigint
}

// Also what is stored of who has processed message 0: see `ZeroCommits`.
const NOTHING_PROCESSED = 0n

/**
 * The offsets that the broker keeps for consumer names.
 *
 * Storing has no answer in the protocol, whatever goes wrong. So every store is followed by a query on the same
 * connection, which the broker works off in order, and counts only when it reads back from a majority's log.
 */
export class ConsumerOffsets {
  readonly #connections: ConnectionPool
  readonly #ends: StreamEnds
  readonly #readers: ReaderPool
  readonly #zeroCommits = new ZeroCommits()
  #storedCount = 0
  readonly #resets = new Resets()

  constructor (connections: ConnectionPool, ends: StreamEnds, readers: ReaderPool) {
    this.#connections = connections
    this.#ends = ends
    this.#readers = readers
  }

  /** Offsets stored by this process. */
  get storedCount (): number {
    return this.#storedCount
  }

  /** @throws StreamsError `consumer_offset_not_found` when nothing is stored; `stream_not_found`, ... */
  async query (stream: string, consumer: string): Promise<bigint> {
    try {
      const connection = await this.#connections.connection('offsets')
      return await connection.queryOffset(consumer, stream)
    } catch (error) {
      throw classify(error)
    }
  }

  /** @throws as `query` */
  async find (stream: string, consumer: string): Promise<bigint | undefined> {
    try {
      return await this.query(stream, consumer)
    } catch (error) {
      if (error instanceof StreamsError && error.code === 'consumer_offset_not_found') return undefined
      throw error
    }
  }

  /** @throws as `query` */
  async describe (stream: string, consumer: string): Promise<ConsumerOffset> {
    const storedOffset = await this.query(stream, consumer)
    const [firstOffset, lastOffset] = await Promise.all([
      this.#ends.firstOffset(stream),
      this.#ends.lastMessage(stream)
    ])
    const nextOffset = this.nextOffsetOf(stream, consumer, storedOffset)
    return { storedOffset, nextOffset, firstOffset, lastOffset: lastOffset ?? null, lag: lagOf(nextOffset, lastOffset) }
  }

  /** Where a consumer goes on of which this is stored now. */
  nextOffsetOf (stream: string, consumer: string, storedOffset: bigint): bigint {
    const key = keyOf(stream, consumer)
    if (storedOffset === 0n) return this.#zeroCommits.has(key) ? 1n : 0n
    this.#zeroCommits.delete(key) // who is at 0 again later was reset
    return resumeOffset(storedOffset)
  }

  /**
   * Stores "processed up to and including `offset`". The checks and the store are not one atomic step: two callers that
   * commit for the same name at the same moment may both pass them.
   *
   * @param expected what has to be stored before; null: nothing
   * @throws StreamsError `offset_goes_back`, `offset_beyond_end`, `expectation_failed`, and as `query`
   */
  async commit (stream: string, consumer: string, offset: number, expected?: number | null): Promise<Stored> {
    const current = await this.find(stream, consumer)
    if (expected !== undefined && current !== (expected === null ? undefined : BigInt(expected))) {
      throw new StreamsError('expectation_failed', 'the stored offset is not the expected one', {
        details: { storedOffset: current ?? null }
      })
    }
    if (current !== undefined && BigInt(offset) < current) {
      throw new StreamsError('offset_goes_back', `the stored offset is ${current} already; only a reset goes back`, {
        details: { storedOffset: current }
      })
    }
    await this.#refuseBeyondEnd(stream, offset)
    // Another consumer of the name may go on from there meanwhile. What is there already takes no record in the stream
    // again.
    const isKept = (stored: bigint): boolean => stored >= BigInt(offset)
    // Before it is stored: a reset that comes in between has the last word.
    if (offset === 0) this.#zeroCommits.add(keyOf(stream, consumer))
    const storedOffset =
      current === BigInt(offset)
        ? await this.#keep(stream, consumer, current, isKept)
        : await this.#store(stream, consumer, BigInt(offset), isKept)
    return { storedOffset, nextOffset: this.nextOffsetOf(stream, consumer, storedOffset) }
  }

  /**
   * Stores what makes `nextOffset` the next one to be delivered.
   *
   * @throws StreamsError as `query`
   */
  async reset (stream: string, consumer: string, nextOffset: number): Promise<Stored> {
    const offset = nextOffset === 0 ? NOTHING_PROCESSED : BigInt(nextOffset) - 1n
    try {
      const storedOffset = await this.#store(stream, consumer, offset, (kept) => kept === offset)
      return { storedOffset, nextOffset: resumeOffset(storedOffset) }
    } finally {
      // Also when it is unknown whether it is stored: who looks in vain loses nothing.
      this.#zeroCommits.delete(keyOf(stream, consumer))
      this.#resets.tell(keyOf(stream, consumer))
    }
  }

  /** Calls the listener when this process has reset the consumer. Returns how to stop that. */
  onReset (stream: string, consumer: string, listener: () => void): () => void {
    return this.#resets.listen(keyOf(stream, consumer), listener)
  }

  /** The stream is gone. */
  forget (stream: string): void {
    this.#zeroCommits.deleteAll(keyOf(stream, ''))
  }

  async #refuseBeyondEnd (stream: string, offset: number): Promise<void> {
    if (offset < this.#readers.knownEnd(stream)) return
    const { nextOffset } = await this.#ends.bounds(stream)
    if (offset < nextOffset) return
    throw new StreamsError(
      'offset_beyond_end',
      `the stream has no offset ${offset} yet: its next offset is ${nextOffset}`,
      { details: { nextOffset } }
    )
  }

  async #store (
    stream: string, consumer: string, offset: bigint, isKept: (stored: bigint) => boolean
  ): Promise<bigint> {
    const storedOffset = await this.#keep(stream, consumer, await this.#storeAndQuery(stream, consumer, offset), isKept)
    this.#storedCount++
    return storedOffset
  }

  // The leader has it in its log when it reads back, and nowhere else yet: were it lost then, the offset would go back.
  // So its replicas have to have it too, and it has to be there still.
  async #keep (
    stream: string,
    consumer: string,
    readBack: bigint,
    isKept: (stored: bigint) => boolean
  ): Promise<bigint> {
    const storedOffset = isKept(readBack) ? await this.#settledOffset(stream, consumer) : readBack
    if (isKept(storedOffset)) return storedOffset
    throw new StreamsError(
      'stream_not_available',
      'the broker did not keep the offset: another client stored one at the same moment, or the leader changed',
      {
        sideEffects: 'possible',
        details: { storedOffset }
      }
    )
  }

  async #storeAndQuery (stream: string, consumer: string, offset: bigint): Promise<bigint> {
    try {
      const connection = await this.#connections.connection('offsets')
      return await connection.storeAndQueryOffset(consumer, stream, offset)
    } catch (error) {
      throw notStored(error)
    }
  }

  async #settledOffset (stream: string, consumer: string): Promise<bigint> {
    try {
      await this.#ends.settled(stream)
      return await this.query(stream, consumer)
    } catch (error) {
      throw notStored(error).afterSideEffects()
    }
  }
}

/** See `ConsumerOffset.lag`. */
export function lagOf (nextOffset: bigint, lastOffset: number | undefined): bigint {
  if (lastOffset === undefined) return 0n
  const lag = BigInt(lastOffset) + 1n - nextOffset
  return lag > 0n ? lag : 0n
}

function keyOf (stream: string, consumer: string): string {
  return `${stream}\0${consumer}` // no name has a NUL in it
}

// Nothing there after a store: the broker dropped it, and says why only in its log.
function notStored (error: unknown): StreamsError {
  const failure = classify(error, 'possible')
  if (failure.code === 'consumer_offset_not_found') {
    return new StreamsError('stream_not_available', 'the broker did not keep the offset', { cause: error })
  }
  return failure
}
