import { classify } from '../classify.ts'
import type { ConnectionPool } from '../connections/connection-pool.ts'
import { StreamsError } from '../errors.ts'
import type { StreamEnds } from '../topology/stream-ends.ts'

/**
 * Stores and queries offsets on the broker.
 *
 * The protocol has no answer to a store, whatever goes wrong. So every store is followed by a query on the same
 * connection, which the broker works off in order, and counts only when it reads back from a majority's log.
 */
export class OffsetStore {
  readonly #connections: ConnectionPool
  readonly #ends: StreamEnds
  #storedCount = 0

  constructor (connections: ConnectionPool, ends: StreamEnds) {
    this.#connections = connections
    this.#ends = ends
  }

  /** How many offsets this process has stored. */
  get storedCount (): number {
    return this.#storedCount
  }

  /** @throws StreamsError `consumer_offset_not_found` when nothing is stored; `stream_not_found`, ... */
  async query (stream: string, consumer: string): Promise<bigint> {
    try {
      return await this.#connections.ask('offsets', stream, async (connection) => {
        return await connection.queryOffset(consumer, stream)
      })
    } catch (error) {
      throw await this.#ends.explained(stream, classify(error))
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

  /**
   * Stores the offset. Returns what a majority has afterwards.
   *
   * @param isKept whether what is read back will do: another client may have stored something at the same moment
   * @throws StreamsError `stream_not_available` when it will not do; what `query` throws
   */
  async store (
    stream: string, consumer: string, offset: bigint, isKept: (stored: bigint) => boolean
  ): Promise<bigint> {
    const readBack = await this.#storeAndReadBack(stream, consumer, offset, isKept)
    const storedOffset = await this.confirmKept(stream, consumer, readBack, isKept)
    this.#storedCount++
    return storedOffset
  }

  /**
   * Makes sure that what was read back stays. When it reads back, only the leader is known to have it in its log: were
   * the leader lost then, the offset would go back. So a majority has to have it too, and it has to be there still.
   *
   * @throws what `store` throws
   */
  async confirmKept (
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
      return await this.#connections.ask('offsets', stream, async (connection) => {
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
      await this.#ends.settled(stream)
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

// Nothing is there after a store: the broker dropped it, and says why only in its log.
function notStored (error: unknown): StreamsError {
  const failure = classify(error, 'possible')
  if (failure.code !== 'consumer_offset_not_found') return failure
  return new StreamsError('stream_not_available', 'the broker did not keep the offset', { cause: error })
}
