import { classify } from '../classify.ts'
import type { ConnectionPool } from '../connections/connection-pool.ts'
import { StreamsError } from '../errors.ts'
import { resumeOffset, type Position } from '../offset.ts'
import type { ReaderPool } from '../reading/reader-pool.ts'
import type { Polls } from '../reading/polls.ts'
import type { StreamEnds } from '../topology/stream-ends.ts'
import { consumerKey } from './consumer-key.ts'
import { ProcessedZeros } from './processed-zeros.ts'
import { Resets } from './resets.ts'

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

export interface ConsumerOffsetsOptions {
  connections: ConnectionPool
  ends: StreamEnds
  polls: Polls
  readers: ReaderPool
}

// It is stored for a consumer that has processed message 0, too: see `ProcessedZeros`.
const NOTHING_PROCESSED = 0n

/**
 * The offsets that the broker keeps for consumer names.
 *
 * The protocol has no answer to a store, whatever goes wrong. So every store is followed by a query on the same
 * connection, which the broker works off in order, and counts only when it reads back from a majority's log.
 */
export class ConsumerOffsets {
  readonly #options: ConsumerOffsetsOptions
  readonly #processedZeros = new ProcessedZeros()
  readonly #resets = new Resets()
  #storedCount = 0

  constructor (options: ConsumerOffsetsOptions) {
    this.#options = options
  }

  /** How many offsets this process has stored. */
  get storedCount (): number {
    return this.#storedCount
  }

  /** @throws StreamsError `consumer_offset_not_found` when nothing is stored; `stream_not_found`, ... */
  async query (stream: string, consumer: string): Promise<bigint> {
    try {
      return await this.#options.connections.ask('offsets', stream, async (connection) => {
        return await connection.queryOffset(consumer, stream)
      })
    } catch (error) {
      throw await this.#options.ends.explained(stream, classify(error))
    }
  }

  /** As `query`, but undefined when nothing is stored. @throws what `query` throws */
  async find (stream: string, consumer: string): Promise<bigint | undefined> {
    try {
      return await this.query(stream, consumer)
    } catch (error) {
      if (error instanceof StreamsError && error.code === 'consumer_offset_not_found') return undefined
      throw error
    }
  }

  /** @throws what `query` throws */
  async describe (stream: string, consumer: string): Promise<ConsumerOffset> {
    const { ends } = this.#options
    const storedOffset = await this.query(stream, consumer)
    const [firstOffset, lastOffset] = await Promise.all([ends.firstOffset(stream), ends.lastMessage(stream)])
    const nextOffset = this.nextOffsetOf(stream, consumer, storedOffset)
    return { storedOffset, nextOffset, firstOffset, lastOffset: lastOffset ?? null, lag: lagOf(nextOffset, lastOffset) }
  }

  /** Where a consumer with this stored offset resumes. */
  nextOffsetOf (stream: string, consumer: string, storedOffset: bigint): bigint {
    const key = consumerKey(stream, consumer)
    if (storedOffset === 0n) return this.#processedZeros.has(key) ? 1n : 0n
    this.#processedZeros.delete(key) // a consumer that is at 0 again later was reset
    return resumeOffset(storedOffset)
  }

  /**
   * Stores "processed up to and including `offset`". The checks and the store are not one atomic step: two callers that
   * store for the same name at the same moment may both pass them.
   *
   * @param expected what has to be stored before; null: nothing
   * @throws StreamsError `offset_goes_back`, `offset_beyond_end`, `expectation_failed`, and what `query` throws
   */
  async store (stream: string, consumer: string, offset: number, expected?: number | null): Promise<Stored> {
    const current = await this.find(stream, consumer)
    refuseUnexpected(current, expected)
    refuseGoingBack(current, offset)
    if (offset >= this.#options.readers.knownEnd(stream)) await this.#refuseBeyondEnd(stream, offset, 'offset')
    // Another consumer of the name may store a later offset meanwhile. An offset that is stored already takes no record
    // in the stream again.
    const isKept = (stored: bigint): boolean => stored >= BigInt(offset)
    // Before it is stored: a reset that comes in between has the last word.
    if (offset === 0) this.#processedZeros.add(consumerKey(stream, consumer))
    const storedOffset = current === BigInt(offset)
      ? await this.#confirmKept(stream, consumer, current, isKept)
      : await this.#storeAndConfirm(stream, consumer, BigInt(offset), isKept)
    return { storedOffset, nextOffset: this.nextOffsetOf(stream, consumer, storedOffset) }
  }

  /**
   * Stores what makes the position the next one to be delivered.
   *
   * @throws StreamsError `offset_beyond_end`, and what `query` throws
   */
  async reset (stream: string, consumer: string, to: Position): Promise<Stored> {
    if (to.type === 'offset') await this.#refuseBeyondEnd(stream, to.offset, 'nextOffset')
    const nextOffset = await this.#options.polls.resolve(stream, to)
    const offset = nextOffset === 0 ? NOTHING_PROCESSED : BigInt(nextOffset) - 1n
    const key = consumerKey(stream, consumer)
    try {
      const storedOffset = await this.#storeAndConfirm(stream, consumer, offset, (kept) => kept === offset)
      return { storedOffset, nextOffset: resumeOffset(storedOffset) }
    } finally {
      // Also when it is unknown whether it is stored: a read that looks again in vain loses nothing.
      this.#processedZeros.delete(key)
      this.#resets.tell(key)
    }
  }

  /** Calls the listener when this process has reset the consumer. Returns how to stop that. */
  onReset (stream: string, consumer: string, listener: () => void): () => void {
    return this.#resets.listen(consumerKey(stream, consumer), listener)
  }

  /** The stream is gone. */
  forget (stream: string): void {
    this.#processedZeros.deleteAll(consumerKey(stream, ''))
  }

  // `offset`: that of a message. `nextOffset`: where to read on, which may be right behind the last one.
  async #refuseBeyondEnd (stream: string, offset: number, kind: 'offset' | 'nextOffset'): Promise<void> {
    const { nextOffset } = await this.#options.ends.bounds(stream)
    if (offset < nextOffset || (kind === 'nextOffset' && offset === nextOffset)) return
    const message = `the stream has no offset ${offset} yet: its next offset is ${nextOffset}`
    throw new StreamsError('offset_beyond_end', message, { details: { nextOffset } })
  }

  async #storeAndConfirm (
    stream: string, consumer: string, offset: bigint, isKept: (stored: bigint) => boolean
  ): Promise<bigint> {
    const readBack = await this.#storeAndReadBack(stream, consumer, offset, isKept)
    const storedOffset = await this.#confirmKept(stream, consumer, readBack, isKept)
    this.#storedCount++
    return storedOffset
  }

  // When it reads back, only the leader is known to have it in its log: were the leader lost then, the offset would go
  // back. So a majority has to have it too, and it has to be there still.
  async #confirmKept (
    stream: string, consumer: string, readBack: bigint, isKept: (stored: bigint) => boolean
  ): Promise<bigint> {
    const storedOffset = isKept(readBack) ? await this.#settledOffset(stream, consumer) : readBack
    if (isKept(storedOffset)) return storedOffset
    throw new StreamsError(
      'stream_not_available',
      'the broker did not keep the offset: another client stored one at the same moment, or the leader changed',
      { sideEffects: 'possible', details: { storedOffset } }
    )
  }

  // When the connection is lost, the offset may be stored, and somebody may have stored a later one since. So only what
  // is not there is stored again.
  async #storeAndReadBack (
    stream: string, consumer: string, offset: bigint, isKept: (stored: bigint) => boolean
  ): Promise<bigint> {
    let isAgain = false
    try {
      return await this.#options.connections.ask('offsets', stream, async (connection) => {
        const kept = isAgain ? await queryIfAny(connection, consumer, stream) : undefined
        if (kept !== undefined && isKept(kept)) return kept
        isAgain = true
        return await connection.storeAndQueryOffset(consumer, stream, offset)
      })
    } catch (error) {
      throw notStored(error)
    }
  }

  async #settledOffset (stream: string, consumer: string): Promise<bigint> {
    try {
      await this.#options.ends.settled(stream)
      return await this.query(stream, consumer)
    } catch (error) {
      throw notStored(error).afterSideEffects()
    }
  }
}

type OffsetConnection = Awaited<ReturnType<ConnectionPool['connection']>>

async function queryIfAny (
  connection: OffsetConnection, consumer: string, stream: string
): Promise<bigint | undefined> {
  try {
    return await connection.queryOffset(consumer, stream)
  } catch (error) {
    if (classify(error).code === 'consumer_offset_not_found') return undefined
    throw error
  }
}

/** See `ConsumerOffset.lag`. */
export function lagOf (nextOffset: bigint, lastOffset: number | undefined): bigint {
  if (lastOffset === undefined) return 0n
  const lag = BigInt(lastOffset) + 1n - nextOffset
  return lag > 0n ? lag : 0n
}

function refuseUnexpected (current: bigint | undefined, expected: number | null | undefined): void {
  if (expected === undefined || current === (expected === null ? undefined : BigInt(expected))) return
  throw new StreamsError('expectation_failed', 'the stored offset is not the expected one', {
    details: { storedOffset: current ?? null }
  })
}

function refuseGoingBack (current: bigint | undefined, offset: number): void {
  if (current === undefined || BigInt(offset) >= current) return
  throw new StreamsError('offset_goes_back', `the stored offset is ${current} already; only a reset goes back`, {
    details: { storedOffset: current }
  })
}

// Nothing is there after a store: the broker dropped it, and says why only in its log.
function notStored (error: unknown): StreamsError {
  const failure = classify(error, 'possible')
  if (failure.code !== 'consumer_offset_not_found') return failure
  return new StreamsError('stream_not_available', 'the broker did not keep the offset', { cause: error })
}
