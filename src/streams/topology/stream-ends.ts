import { classify } from '../classify.ts'
import { Deadline } from '../common/deadline.ts'
import { pause } from '../common/wait.ts'
import type { ConnectionPool, Endpoint } from '../connections/connection-pool.ts'
import type { Locator } from './locator.ts'
import type { StreamsError } from '../errors.ts'
import { ChunkType, type Chunk, type OffsetSpec } from '../protocol/index.ts'
import { Subscription } from '../connections/subscription.ts'
import { endUnknown, Probe, SETTLE_MS, SETTLE_PAUSE_MS, statsOf, type Stats } from './probe.ts'

export interface Bounds {
  /** The first offset that the stream still has. */
  readonly firstOffset: number
  /** The offset after the last committed one. The broker's own records count too. */
  readonly nextOffset: number
}

/** Where a stream ended when it was looked at. */
export interface StreamLook extends Bounds {
  readonly committedChunkId: number
  /** The last message, and when its chunk was written, ms since the epoch. Undefined in a stream without messages. */
  readonly lastMessage: { readonly offset: number, readonly timeMs: number } | undefined
}

// An internal subscription property of the broker since 3.13: it delivers its own chunks (tracking) too.
const ALL_CHUNKS: ReadonlyMap<string, string> = new Map([['chunk_selector', 'all']])
const USER_CHUNKS: ReadonlyMap<string, string> = new Map()
// The broker attaches at the first chunk with that timestamp or a later one. When a clock went back, older chunks may
// follow it; this limits how many are read.
const MAX_PROBED_CHUNKS = 1000

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
      const chunk = await this.#chunkAt(stream, { type: 'offset', offset: committedChunkId }, ALL_CHUNKS)
      return { firstOffset, nextOffset: Math.max(chunk?.endOffset ?? 0, committedChunkId + 1) }
    })
  }

  /**
   * The bounds and the last message.
   *
   * @param before the look before. While no chunk was added since, it costs one request
   * @throws StreamsError
   */
  async look (stream: string, before?: StreamLook): Promise<StreamLook> {
    return await this.#asking(stream, async () => {
      const { firstOffset, committedChunkId, committedOffset } = await this.#settledStats(stream)
      if (committedChunkId === before?.committedChunkId) return { ...before, firstOffset }
      const empty = { firstOffset, committedChunkId, nextOffset: firstOffset, lastMessage: undefined }
      if (committedChunkId < 0) return empty
      const end = await this.#chunkAt(stream, { type: 'offset', offset: committedChunkId }, ALL_CHUNKS)
      // Behind the last message are records of the broker's own.
      const last = end?.chunkType === ChunkType.user ? end : await this.#chunkAt(stream, { type: 'last' }, USER_CHUNKS)
      const known = committedOffset === undefined ? end?.endOffset ?? 0 : committedOffset + 1
      return {
        firstOffset,
        committedChunkId,
        nextOffset: Math.max(known, committedChunkId + 1, last?.endOffset ?? 0),
        lastMessage: last && { offset: last.endOffset - 1, timeMs: last.timestamp }
      }
    })
  }

  /**
   * When the chunk with the message at this offset was written, or the next one that is still there, ms since the
   * epoch; undefined when there is none.
   *
   * @throws StreamsError
   */
  async timeAt (stream: string, offset: number): Promise<number | undefined> {
    return await this.#asking(stream, async () => {
      return (await this.#chunkAt(stream, { type: 'offset', offset }, USER_CHUNKS))?.timestamp
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
   * although there is one (on a drained node), the leader cannot be asked: then enough of the other members have to
   * answer. Where there is no majority, the broker names no leader either, and they do not.
   *
   * @throws StreamsError `stream_not_available` when the majority needs more than two seconds, or does not answer
   */
  async settled (stream: string): Promise<void> {
    await this.#asking(stream, async () => {
      const { leader, replicas } = await this.#locator.locate(stream)
      if (leader !== undefined || replicas.length === 0) {
        await this.#settledStats(stream)
        return
      }
      this.#locator.forget(stream)
      // With the leader they are a majority.
      const enough = Math.ceil(replicas.length / 2)
      await someOf(enough, replicas.map(async (replica) => { await this.#settledStats(stream, replica) }))
    })
  }

  /** The offset of the last message; undefined in a stream without messages. */
  async lastMessage (stream: string): Promise<number | undefined> {
    return await this.#asking(stream, async () => {
      const chunk = await this.#chunkAt(stream, { type: 'last' }, USER_CHUNKS)
      return chunk === undefined ? undefined : chunk.endOffset - 1
    })
  }

  /**
   * Whether a majority of the members has a record of the broker's own at the offset: no message will ever be there.
   * False also while nothing is there.
   */
  async isBrokerRecord (stream: string, offset: number): Promise<boolean> {
    return await this.#asking(stream, async () => {
      if ((await this.#settledStats(stream)).committedChunkId < offset) return false
      const chunk = await this.#chunkAt(stream, { type: 'offset', offset }, ALL_CHUNKS)
      if (chunk === undefined || chunk.chunkType === ChunkType.user) return false
      return chunk.firstOffset <= offset && offset < chunk.endOffset
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
  async #settledStats (stream: string, member?: Endpoint): Promise<Stats> {
    const deadline = new Deadline(SETTLE_MS)
    for (let goal: number | undefined; ;) {
      const stats = await this.#stats(stream, member)
      goal ??= stats.lastChunkId
      if (stats.committedChunkId >= goal) return stats
      if (deadline.hasPassed) throw endUnknown()
      await pause(SETTLE_PAUSE_MS)
    }
  }

  async #stats (stream: string, member?: Endpoint): Promise<Stats> {
    const node = member ?? await this.#locator.leader(stream)
    return statsOf(await this.#connections.ask('offsets', stream, async (connection) => {
      return await connection.streamStats(stream)
    }, node))
  }

  async #chunkAt (
    stream: string, spec: OffsetSpec, properties: ReadonlyMap<string, string>
  ): Promise<Chunk | undefined> {
    const probe = await this.#probe(stream, spec, properties)
    try {
      return await probe.next()
    } finally {
      probe.close()
    }
  }

  async #probe (stream: string, spec: OffsetSpec, properties: ReadonlyMap<string, string>): Promise<Probe> {
    return new Probe(
      await Subscription.open(this.#connections, await this.#locator.leader(stream), stream, spec, properties)
    )
  }
}

// Settles when so many are done, and fails when that can no longer be.
async function someOf (enough: number, answers: ReadonlyArray<Promise<void>>): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    let missing = enough
    let spare = answers.length - enough
    for (const answer of answers) {
      answer.then(() => { if (--missing === 0) resolve() }, () => { if (--spare < 0) reject(endUnknown()) })
    }
  })
}
