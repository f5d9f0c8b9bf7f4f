import { classify } from '../classify.ts'
import { Deadline } from '../common/deadline.ts'
import { pause } from '../common/wait.ts'
import type { ConnectionPool } from '../connections/connection-pool.ts'
import type { Locator } from './locator.ts'
import { StreamsError } from '../errors.ts'
import type { Chunk, Connection, OffsetSpec } from '../protocol/index.ts'
import { Subscription } from '../connections/subscription.ts'

export interface Bounds {
  /** The first offset that is still there. */
  readonly firstOffset: number
  /** The offset after the last one that is committed, the broker's own records included. */
  readonly nextOffset: number
}

// An internal subscription property of the broker since 3.13: deliver its own chunks (tracking) too.
const ALL_CHUNKS: ReadonlyMap<string, string> = new Map([['chunk_selector', 'all']])
const USER_CHUNKS: ReadonlyMap<string, string> = new Map()
// The broker attaches at the first chunk of that time or a later one. Clocks that go back could put older ones behind
// it; it stays bounded.
const MAX_PROBED_CHUNKS = 1000
// How long a new leader may take to hear from a majority how far they are.
const SETTLE_MS = 2000
const SETTLE_PAUSE_MS = 5

interface Stats {
  readonly firstOffset: number
  readonly committedChunkId: number
  readonly committedOffset: number | undefined
  /** The last chunk that the leader has, committed or not. */
  readonly lastChunkId: number
}

/**
 * Where a stream begins and ends, asked of its leader, whose word on it is final. Nothing is remembered: streams grow,
 * shrink and are recreated.
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
      // Before 4.3 only the first offset of the last chunk is known. The chunk's header says how many it has.
      const probe = await this.#probe(stream, { type: 'offset', offset: committedChunkId }, ALL_CHUNKS)
      try {
        const chunk = await probe.next()
        return { firstOffset, nextOffset: Math.max(chunk?.endOffset ?? 0, committedChunkId + 1) }
      } finally {
        probe.close()
      }
    })
  }

  /** The first offset that is still there; 0 in an empty stream. */
  async firstOffset (stream: string): Promise<number> {
    return await this.#asking(stream, async () => (await this.#stats(stream)).firstOffset)
  }

  /** The first offset of the last chunk that a majority of the members has; -1 in an empty stream. */
  async committedChunkId (stream: string): Promise<number> {
    return await this.#asking(stream, async () => {
      const { committedChunkId, lastChunkId } = await this.#stats(stream)
      // Before a leader that has just started has heard of its replicas it knows of none; that is not an empty stream.
      if (committedChunkId < 0 && lastChunkId >= 0) throw endUnknown()
      return committedChunkId
    })
  }

  /**
   * Settles when a majority of the members has all that the leader has now. Where the leader is not named although
   * there is one (on a drained node) nobody can be asked, and it settles at once.
   *
   * @throws StreamsError `stream_not_available` when that is not so within two seconds
   */
  async settled (stream: string): Promise<void> {
    await this.#asking(stream, async () => {
      const { leader, replicas } = await this.#locator.locate(stream)
      if (leader === undefined && replicas.length > 0) this.#locator.forget(stream)
      else await this.#settledStats(stream)
    })
  }

  /** The offset of the last message; undefined when there is none. */
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
   * The offset of the first message whose chunk was written at or after the time, or a little before; undefined when
   * all are older.
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
        return chunk?.firstOffset // too early where the bound was reached, which misses nothing
      } finally {
        probe.close()
      }
    })
  }

  // What the broker refuses for lack of the right node or of a stream may be due to an old location: the next question
  // asks for it anew.
  async #asking<T> (stream: string, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask()
    } catch (error) {
      const failure = classify(error)
      if (failure.code !== 'access_refused') this.#locator.forget(stream)
      throw failure
    }
  }

  // A new leader counts as committed what its replicas say to have, and they begin to say it when they have connected
  // to it: for seconds the end may lie before messages that were confirmed long ago. They are in its log; so what was
  // in there has to be committed before the end counts.
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
    return statsOf(await (await this.#leaderConnection(stream)).streamStats(stream))
  }

  async #leaderConnection (stream: string): Promise<Connection> {
    return await this.#connections.connection('consume', await this.#locator.leader(stream))
  }

  async #probe (stream: string, spec: OffsetSpec, properties: ReadonlyMap<string, string>): Promise<Probe> {
    return new Probe(
      await Subscription.open(this.#connections, await this.#locator.leader(stream), stream, spec, properties)
    )
  }
}

/** A subscription for a look at a chunk or two. */
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
   * The next chunk, or undefined when there is none. The broker attaches also at a chunk that is not committed yet, and
   * delivers it when it is: what the leader has at the call is waited for, and the second fence is behind it.
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
