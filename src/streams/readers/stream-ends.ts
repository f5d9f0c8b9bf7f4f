import { classify } from '../classify.ts'
import type { ConnectionPool } from '../connections/connection-pool.ts'
import type { Locator } from '../connections/locator.ts'
import { StreamsError } from '../errors.ts'
import type { Chunk, Connection, OffsetSpec } from '../protocol/index.ts'
import { Subscription } from './subscription.ts'

export interface Bounds {
  /** The first offset that is still there. */
  readonly firstOffset: number
  /** The offset after the last one that is committed, the broker's own records included. */
  readonly nextOffset: number
}

// An internal subscription property of the broker since 3.13: deliver its own chunks (tracking) too.
const ALL_CHUNKS: ReadonlyMap<string, string> = new Map([['chunk_selector', 'all']])
const USER_CHUNKS: ReadonlyMap<string, string> = new Map()
// The broker attaches at the chunk before or at a time. Clocks that go back could make it more than a few; it stays bounded.
const MAX_PROBED_CHUNKS = 1000

/**
 * Where a stream begins and ends, asked of its leader, whose word on it is final. Nothing is remembered: streams grow, shrink and are recreated.
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
      const { firstOffset, committedChunkId, committedOffset } = await this.#stats(stream)
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
    return await this.#asking(stream, async () => (await this.#stats(stream)).committedChunkId)
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

  /** The offset of the first message whose chunk was written at or after the time; undefined when all are older. */
  async firstSince (stream: string, timestamp: number): Promise<number | undefined> {
    return await this.#asking(stream, async () => {
      const probe = await this.#probe(stream, { type: 'timestamp', timestamp }, USER_CHUNKS)
      try {
        for (let probed = 0; probed < MAX_PROBED_CHUNKS; probed++) {
          const chunk = await probe.next()
          if (chunk === undefined || chunk.timestamp >= timestamp) return chunk?.firstOffset
        }
        return undefined
      } finally {
        probe.close()
      }
    })
  }

  // What the broker refuses for lack of the right node or of a stream may be due to an old location: the next question asks for it anew.
  async #asking<T> (stream: string, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask()
    } catch (error) {
      const failure = classify(error)
      if (failure.code !== 'access_refused') this.#locator.forget(stream)
      throw failure
    }
  }

  async #stats (stream: string): Promise<{ firstOffset: number, committedChunkId: number, committedOffset: number | undefined }> {
    const stats = await (await this.#leaderConnection(stream)).streamStats(stream)
    const firstChunkId = Number(stats.get('first_chunk_id') ?? -1n)
    const committedChunkId = Number(stats.get('committed_chunk_id') ?? -1n)
    // A leader that has just started knows of no committed chunk until its replicas have answered; that is not an empty stream.
    if (committedChunkId < 0 && Number(stats.get('last_chunk_id') ?? -1n) >= 0) {
      throw new StreamsError('stream_not_available', 'the leader of the stream has just started and does not know its end yet')
    }
    const committedOffset = stats.get('committed_offset')
    return { firstOffset: Math.max(0, firstChunkId), committedChunkId, committedOffset: committedOffset === undefined ? undefined : Number(committedOffset) }
  }

  async #leaderConnection (stream: string): Promise<Connection> {
    return await this.#connections.connection('consume', await this.#locator.leader(stream))
  }

  async #probe (stream: string, spec: OffsetSpec, properties: ReadonlyMap<string, string>): Promise<Probe> {
    return new Probe(await Subscription.open(this.#connections, await this.#locator.leader(stream), stream, spec, properties))
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

  /** The next chunk, or undefined when there is none at the moment. */
  async next (): Promise<Chunk | undefined> {
    if (this.#chunks.length === 0) {
      if (this.#subscription.outstandingCredit === 0) this.#subscription.giveCredit(1)
      await this.#subscription.fence()
    }
    if (this.#failure !== undefined) throw this.#failure
    return this.#chunks.shift()
  }

  close (): void {
    this.#subscription.close()
  }
}
