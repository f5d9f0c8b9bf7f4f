import type { StreamEnds } from '../topology/stream-ends.ts'

/**
 * What a stored offset means for reading. `beyond_end`: reading would resume beyond the end of the stream, so every
 * read is refused. Other clients store such values: a time, or -1.
 */
export type OffsetState = 'ok' | 'beyond_end'

/** Where a consumer stands. */
export interface OffsetView {
  readonly state: OffsetState
  /**
   * Offsets from the next one to that of the last message. Some may be records of the broker's own: an upper bound.
   * Null beyond the end.
   */
  readonly lag: bigint | null
}

/** Looks at stored offsets of one stream. It asks for the end of the stream at most once, and only when it has to. */
export class OffsetViews {
  readonly #stream: string
  readonly #ends: StreamEnds
  readonly #lastOffset: number | undefined
  #end: Promise<bigint> | undefined

  /** @param lastOffset of the last message */
  constructor (stream: string, ends: StreamEnds, lastOffset: number | undefined) {
    this.#stream = stream
    this.#ends = ends
    this.#lastOffset = lastOffset
  }

  /**
   * @param nextOffset where reading resumes; stored before this call
   * @throws StreamsError what `StreamEnds.bounds` throws
   */
  async of (nextOffset: bigint): Promise<OffsetView> {
    const afterLast = BigInt(this.#lastOffset ?? -1) + 1n
    if (nextOffset <= afterLast) return { state: 'ok', lag: afterLast - nextOffset }
    // The broker's own records may follow the last message.
    if (nextOffset <= await this.#askEnd()) return { state: 'ok', lag: 0n }
    return { state: 'beyond_end', lag: null }
  }

  async #askEnd (): Promise<bigint> {
    this.#end ??= this.#ends.bounds(this.#stream).then(({ nextOffset }) => BigInt(nextOffset))
    return await this.#end
  }
}
