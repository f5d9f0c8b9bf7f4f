import { classify } from '../classify.ts'
import { Deadline } from '../common/deadline.ts'
import { pause } from '../common/wait.ts'
import type { ConnectionPool } from '../connections/connection-pool.ts'
import type { Locator } from './locator.ts'
import { StreamsError } from '../errors.ts'
import { ChunkType, type Chunk, type OffsetSpec } from '../protocol/index.ts'
import { Subscription } from '../connections/subscription.ts'

export interface Bounds {
  /** The first offset that the stream still has. */
  readonly firstOffset: number
  /** The offset after the last committed one. The broker's own records count too. */
  readonly nextOffset: number
}

// An internal subscription property of the broker since 3.13: it delivers its own chunks (tracking) too.
const ALL_CHUNKS: ReadonlyMap<string, string> = new Map([['chunk_selector', 'all']])
const USER_CHUNKS: ReadonlyMap<string, string> = new Map()
// The broker attaches at the first chunk with that timestamp or a later one. When a clock went back, older chunks may
// follow it; this limits how many are read.
const MAX_PROBED_CHUNKS = 1000
// How long a new leader may take to learn the offsets of a majority.
const SETTLE_MS = 2000
const SETTLE_PAUSE_MS = 5

interface Stats {
  readonly firstOffset: number
  readonly committedChunkId: number
  readonly committedOffset: number | undefined
  /** The first offset of the last chunk that the leader has, committed or not. */
  readonly lastChunkId: number
}

/**
 * Finds where a stream begins and ends. It asks the leader, whose answer is authoritative, and remembers nothing,
 * because streams grow, shrink and are recreated.
 */
export class StreamEnds {
  readonly #connections: ConnectionPool
  readonly #locator: Locator

  constructor (connections: ConnectionPool, locator: Locator) {
    this.#connections = connections
    this.#locator = locator
  }

  /** @throws StreamsError */
  async bounds (stream: string): Promise<Bounds> {
    return await this.#asking(stream, async () => {
      const { firstOffset, committedChunkId, committedOffset } = await this.#settledStats(stream)
      if (committedChunkId < 0) return { firstOffset, nextOffset: firstOffset }
      if (committedOffset !== undefined) return { firstOffset, nextOffset: committedOffset + 1 }
      // Before 4.3 only the first offset of the last chunk is known. The header of the chunk has its number of records.
      const probe = await this.#probe(stream, { type: 'offset', offset: committedChunkId }, ALL_CHUNKS)
      try {
        const chunk = await probe.next()
        return { firstOffset, nextOffset: Math.max(chunk?.endOffset ?? 0, committedChunkId + 1) }
      } finally {
        probe.close()
      }
    })
  }

  /** The first offset that the stream still has; 0 in an empty stream. */
  async firstOffset (stream: string): Promise<number> {
    return await this.#asking(stream, async () => (await this.#stats(stream)).firstOffset)
  }

  /** The first offset of the last chunk that a majority of the members has; -1 in an empty stream. */
  async committedChunkId (stream: string): Promise<number> {
    return await this.#asking(stream, async () => {
      const { committedChunkId, lastChunkId } = await this.#stats(stream)
      // A leader that has just started knows of no committed chunk until its replicas report. The stream is not empty.
      if (committedChunkId < 0 && lastChunkId >= 0) throw endUnknown()
      return committedChunkId
    })
  }

  /**
   * Settles when a majority of the members has everything that the leader has now. When the broker names no leader
   * although there is one (on a drained node), the leader cannot be asked and this settles at once.
   *
   * @throws StreamsError `stream_not_available` when the majority needs more than two seconds
   */
  async settled (stream: string): Promise<void> {
    await this.#asking(stream, async () => {
      const { leader, replicas } = await this.#locator.locate(stream)
      if (leader === undefined && replicas.length > 0) this.#locator.forget(stream)
      else await this.#settledStats(stream)
    })
  }

  /** The offset of the last message; undefined in a stream without messages. */
  async lastMessage (stream: string): Promise<number | undefined> {
    return await this.#asking(stream, async () => {
      const probe = await this.#probe(stream, { type: 'last' }, USER_CHUNKS)
      try {
        const chunk = await probe.next()
        return chunk === undefined ? undefined : chunk.endOffset - 1
      } finally {
        probe.close()
      }
    })
  }

  /**
   * Whether a majority of the members has a record of the broker's own at the offset: no message will ever be there.
   * False also while nothing is there.
   */
  async isBrokerRecord (stream: string, offset: number): Promise<boolean> {
    return await this.#asking(stream, async () => {
      if ((await this.#settledStats(stream)).committedChunkId < offset) return false
      const probe = await this.#probe(stream, { type: 'offset', offset }, ALL_CHUNKS)
      try {
        const chunk = await probe.next()
        if (chunk === undefined || chunk.chunkType === ChunkType.user) return false
        return chunk.firstOffset <= offset && offset < chunk.endOffset
      } finally {
        probe.close()
      }
    })
  }

  /**
   * The offset of the first message whose chunk was written at or after `timestamp`; a slightly earlier one when
   * `MAX_PROBED_CHUNKS` is reached; undefined when all messages are older.
   */
  async firstSince (stream: string, timestamp: number): Promise<number | undefined> {
    return await this.#asking(stream, async () => {
      const probe = await this.#probe(stream, { type: 'timestamp', timestamp }, USER_CHUNKS)
      try {
        let chunk = await probe.next()
        for (let probed = 1; chunk !== undefined && chunk.timestamp < timestamp; probed++) {
          if (probed === MAX_PROBED_CHUNKS) break
          chunk = await probe.next()
        }
        return chunk?.firstOffset // too early when the limit was reached, which misses no message
      } finally {
        probe.close()
      }
    })
  }

  /** The same error, or one that says why no stream was found. Never throws. */
  async explained (stream: string, failure: StreamsError): Promise<StreamsError> {
    if (failure.code !== 'stream_not_found') return failure
    return await this.#locator.locateAfresh(stream).then(() => failure, (error: unknown) => {
      const explained = classify(error)
      return explained.code === failure.code ? explained : failure
    })
  }

  // An old location may be the reason when the broker refuses: the node or the stream was not the right one. So the
  // next request asks for the location again.
  async #asking<T> (stream: string, ask: () => Promise<T>): Promise<T> {
    try {
      return await this.#connections.repeat(ask)
    } catch (error) {
      const failure = classify(error)
      if (failure.code !== 'access_refused') this.#locator.forget(stream)
      throw failure
    }
  }

  // A new leader regards as committed what its replicas report, and they report only once they have connected to it. So
  // for seconds the committed end may lie before messages that were confirmed long ago. Those are in the leader's log,
  // so everything that was in the log at the first answer must be committed before the end is used.
  async #settledStats (stream: string): Promise<Stats> {
    const deadline = new Deadline(SETTLE_MS)
    for (let goal: number | undefined; ;) {
      const stats = await this.#stats(stream)
      goal ??= stats.lastChunkId
      if (stats.committedChunkId >= goal) return stats
      if (deadline.hasPassed) throw endUnknown()
      await pause(SETTLE_PAUSE_MS)
    }
  }

  async #stats (stream: string): Promise<Stats> {
    const leader = await this.#locator.leader(stream)
    return statsOf(await this.#connections.ask('offsets', stream, async (connection) => {
      return await connection.streamStats(stream)
    }, leader))
  }

  async #probe (stream: string, spec: OffsetSpec, properties: ReadonlyMap<string, string>): Promise<Probe> {
    return new Probe(
      await Subscription.open(this.#connections, await this.#locator.leader(stream), stream, spec, properties)
    )
  }
}

/** A short-lived subscription that reads a chunk or two. */
class Probe {
  readonly #subscription: Subscription
  readonly #chunks: Chunk[] = []
  #failure: StreamsError | undefined

  constructor (subscription: Subscription) {
    this.#subscription = subscription
    subscription.listen({
      delivered: (chunk) => { this.#chunks.push(chunk) },
      lost: (error) => { this.#failure = error }
    })
  }

  /**
   * The next chunk; undefined at the end of the stream. The broker also attaches at a chunk that is not committed yet,
   * and delivers it once it is committed. So this waits until everything that the leader has at the call is committed;
   * the delivery then arrives before the answer to a second fence.
   */
  async next (): Promise<Chunk | undefined> {
    if (this.#chunks.length === 0 && this.#subscription.outstandingCredit === 0) this.#subscription.giveCredit(1)
    const deadline = new Deadline(SETTLE_MS)
    let goal: number | undefined
    for (let settled = 0; this.#chunks.length === 0 && settled < 2;) {
      const { committedChunkId, lastChunkId } = statsOf(await this.#subscription.fence())
      goal ??= lastChunkId
      if (this.#failure !== undefined) break
      if (committedChunkId >= goal) settled++
      else if (deadline.hasPassed) throw endUnknown()
      else await pause(SETTLE_PAUSE_MS)
    }
    if (this.#failure !== undefined) throw this.#failure
    return this.#chunks.shift()
  }

  close (): void {
    this.#subscription.close()
  }
}

function statsOf (stats: ReadonlyMap<string, bigint>): Stats {
  const committedOffset = stats.get('committed_offset')
  return {
    firstOffset: Math.max(0, Number(stats.get('first_chunk_id') ?? -1n)),
    committedChunkId: Number(stats.get('committed_chunk_id') ?? -1n),
    committedOffset: committedOffset === undefined ? undefined : Number(committedOffset),
    lastChunkId: Number(stats.get('last_chunk_id') ?? -1n)
  }
}

function endUnknown (): StreamsError {
  return new StreamsError(
    'stream_not_available',
    'the end of the stream is not known at the moment: a majority of its members has not reported its offsets yet'
  )
}
