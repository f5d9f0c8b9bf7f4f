const ISOLATED_MS = 30_000
/** How many connections more there may be, for each purpose and node. */
const LANES = 16
const MAX_ISOLATED = 1000

interface Isolated { readonly untilMs: number, readonly lane: number }

/**
 * The streams whose requests stay away from those of other streams for a while.
 *
 * RabbitMQ ends a connection when a request on it meets a stream that is just being deleted or created, and everything
 * else on that connection ends with it. A stream to which that happened, or may happen, gets a lane: connections of its
 * own. When more streams are isolated than there are lanes, some of them share one.
 */
export class Isolation {
  readonly #isolated = new Map<string, Isolated>()

  /** Isolates the stream from now on for half a minute. */
  isolate (stream: string): void {
    const lane = this.laneOf(stream) ?? this.#emptiestLane()
    this.#isolated.delete(stream) // so that the map is in the order of the times
    this.#isolated.set(stream, { untilMs: performance.now() + ISOLATED_MS, lane })
    for (const [oldest, { untilMs }] of this.#isolated) {
      if (untilMs > performance.now() && this.#isolated.size <= MAX_ISOLATED) break
      this.#isolated.delete(oldest)
    }
  }

  /** The number of the stream's lane; undefined for a stream that goes with all the others. */
  laneOf (stream: string): number | undefined {
    if (this.#isolated.size === 0) return undefined
    const isolated = this.#isolated.get(stream)
    return isolated !== undefined && isolated.untilMs > performance.now() ? isolated.lane : undefined
  }

  #emptiestLane (): number {
    const counts = new Array<number>(LANES).fill(0)
    for (const { lane, untilMs } of this.#isolated.values()) {
      if (untilMs > performance.now()) counts[lane] = (counts[lane] ?? 0) + 1
    }
    return counts.indexOf(Math.min(...counts))
  }
}
