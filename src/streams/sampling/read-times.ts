import type { OffsetRing } from './offset-ring.ts'

interface Probed { readonly offset: number, readonly timeMs: number | undefined, readonly probedMs: number }

// How often the broker is asked for one consumer.
const PROBE_EVERY_MS = 60_000

/** How far consumers of a stream are behind in time. */
export class ReadTimes {
  readonly #ring: OffsetRing
  readonly #timeAt: (offset: number) => Promise<number | undefined>
  readonly #probed = new Map<string, Probed>()

  /** @param timeAt asks the broker when the message at an offset was written, ms since the epoch */
  constructor (ring: OffsetRing, timeAt: (offset: number) => Promise<number | undefined>) {
    this.#ring = ring
    this.#timeAt = timeAt
  }

  /**
   * For how long the message at an offset waits. The samples say it or, for a message that is older than they are, the
   * time of its chunk, which is asked for once a minute at most.
   *
   * @param lagMessages how many wait
   * @param takeProbe whether the broker may be asked now
   * @returns undefined when that is not known yet
   * @throws StreamsError
   */
  async secondsBehind (
    consumer: string, offset: number, lagMessages: number, takeProbe: () => boolean
  ): Promise<number | undefined> {
    if (lagMessages === 0) {
      this.#probed.delete(consumer)
      return 0
    }
    const timeMs = this.#ring.timeOf(offset) ?? await this.#probedTime(consumer, offset, takeProbe)
    // The clock of the broker may be ahead.
    return timeMs === undefined ? undefined : Math.max(0, Date.now() - timeMs) / 1000
  }

  /** The other consumers are gone. */
  keepOnly (consumers: ReadonlySet<string>): void {
    for (const name of this.#probed.keys()) if (!consumers.has(name)) this.#probed.delete(name)
  }

  async #probedTime (consumer: string, offset: number, takeProbe: () => boolean): Promise<number | undefined> {
    const known = this.#probed.get(consumer)
    // What is written at an offset stays.
    if (known?.offset === offset && known.timeMs !== undefined) return known.timeMs
    const isRecent = known !== undefined && performance.now() - known.probedMs < PROBE_EVERY_MS
    if (isRecent || !takeProbe()) return known?.timeMs
    const timeMs = await this.#timeAt(offset)
    this.#probed.set(consumer, { offset, timeMs, probedMs: performance.now() })
    return timeMs
  }
}
