import { Deadline } from '../common/deadline.ts'
import { pause } from '../common/wait.ts'
import type { Subscription } from '../connections/subscription.ts'
import { StreamsError } from '../errors.ts'
import type { Chunk } from '../protocol/index.ts'

// How long a new leader may take to learn the offsets of a majority.
export const SETTLE_MS = 2000
export const SETTLE_PAUSE_MS = 5

/** What the leader says of a stream. */
export interface Stats {
  readonly firstOffset: number
  readonly committedChunkId: number
  readonly committedOffset: number | undefined
  /** The first offset of the last chunk that the leader has, committed or not. */
  readonly lastChunkId: number
}

/** A short-lived subscription that reads a chunk or two. */
export class Probe {
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

/** Reads the answer to a request for statistics. */
export function statsOf (stats: ReadonlyMap<string, bigint>): Stats {
  const committedOffset = stats.get('committed_offset')
  return {
    firstOffset: Math.max(0, Number(stats.get('first_chunk_id') ?? -1n)),
    committedChunkId: Number(stats.get('committed_chunk_id') ?? -1n),
    committedOffset: committedOffset === undefined ? undefined : Number(committedOffset),
    lastChunkId: Number(stats.get('last_chunk_id') ?? -1n)
  }
}

/** @returns `stream_not_available` */
export function endUnknown (): StreamsError {
  return new StreamsError(
    'stream_not_available',
    'the end of the stream is not known at the moment: a majority of its members has not reported its offsets yet'
  )
}
