import type { ActiveFollowListener, LiveSource, StreamsError } from '../streams/index.ts'
import type { Fed, FeedListener, FeedState, LiveFeed } from './live-feed.ts'
import type { LivePlace } from './live-options.ts'
import type { Representation } from './segment.ts'
import type { Segments } from './segments.ts'

/** Where a stream is followed, and what keeps the offset of a consumer. */
export interface StreamFollowed {
  readonly source: LiveSource
  readonly place?: LivePlace
}

/**
 * The messages of a stream, as texts that are made once for all who want them alike. It holds a position and no data.
 */
export class StreamFeed implements LiveFeed {
  readonly #segments: Segments
  readonly #representation: Representation
  readonly #source: LiveSource
  readonly #place: LivePlace | undefined
  readonly #whenMade: () => void
  // The last id that the client was told.
  #toldId: number
  // Everything before this offset was taken by the operating system.
  #takenOffset: number
  isActive = true

  /**
   * Begins to follow.
   *
   * @param open follows, and tells what it is given what happens
   * @throws what `open` throws
   */
  static async open (
    segments: Segments, representation: Representation, listener: FeedListener,
    open: (listener: ActiveFollowListener) => Promise<StreamFollowed>
  ): Promise<StreamFeed> {
    const teller = new Teller(listener)
    const feed = new StreamFeed(segments, representation, listener, await open(teller))
    teller.feed = feed
    return feed
  }

  private constructor (
    segments: Segments, representation: Representation, { news }: FeedListener, { source, place }: StreamFollowed
  ) {
    this.#segments = segments
    this.#representation = representation
    this.#source = source
    this.#place = place
    this.#whenMade = news
    this.#toldId = source.position
    this.#takenOffset = source.position
  }

  get id (): number {
    return this.#source.position
  }

  get here (): object {
    return { nextOffset: this.id }
  }

  get isAtEnd (): boolean {
    return this.#source.isAtEnd
  }

  get skipped (): number {
    return this.id - this.#toldId
  }

  get quietMs (): number {
    return this.#place !== undefined || this.#representation.isFiltered ? 0 : Infinity
  }

  /** Everything before this offset was taken by the operating system. */
  get takenOffset (): number {
    return this.#takenOffset
  }

  take (limit: number): Fed {
    const source = this.#source
    for (;;) {
      const taken = source.take()
      if (taken === undefined) return undefined
      if (taken.kind === 'gap') {
        const { from, to } = taken.gap
        const pass = (): void => { source.advance({ to: to + 1, lastEnd: from, count: 0 }) }
        return { gap: { data: { from, to }, pass } }
      }
      const wanting = { source, representation: this.#representation, limit, whenMade: this.#whenMade }
      const made = this.#segments.of(taken.chunk, wanting)
      if (made === 'full') return made
      if (made === 'later') return undefined
      source.advance(made)
      if (made.count === 0) continue
      this.#toldId = made.lastEnd
      return { messages: made }
    }
  }

  told (): void {
    this.#toldId = this.id
  }

  noteTaken (): void {
    this.#takenOffset = this.id
  }

  /** It continues from there, whatever was taken. */
  movedTo (nextOffset: number): void {
    this.#takenOffset = nextOffset
  }

  seek (nextOffset: number): void {
    this.#source.seek(nextOffset)
  }

  async state (): Promise<FeedState> {
    const data = await this.#source.state()
    return { data, endOfStream: data.endOfStream, isCurrent: () => data.nextOffset === this.id }
  }

  rest (): void {
    this.#source.rest()
  }

  look (): void {
    this.#source.look()
  }

  tick (nowMs: number): void {
    this.#place?.tick(nowMs, this.#takenOffset)
  }

  end (): Promise<void> | undefined {
    return this.#place?.end(this.#takenOffset)
  }

  close (): void {
    this.#source.close()
  }

  abandon (): void {
    this.#source.close()
    void this.#place?.end(0)
  }
}

/** Tells the answer what happens to the stream, and to the consumer. */
class Teller implements ActiveFollowListener {
  readonly #listener: FeedListener
  feed: StreamFeed | undefined

  constructor (listener: FeedListener) {
    this.#listener = listener
  }

  news (): void {
    this.#listener.news()
  }

  behind (): void {
    this.#listener.behind()
  }

  failed (error: StreamsError): void {
    this.#listener.failed(error)
  }

  readonly moved = (nextOffset: number): void => {
    this.feed?.seek(nextOffset)
    this.feed?.movedTo(nextOffset)
    this.#listener.moved('reset', { nextOffset })
  }

  activated (nextOffset: number): void {
    if (this.feed !== undefined) this.feed.isActive = true
    this.feed?.movedTo(nextOffset)
    this.#listener.moved('active', { nextOffset })
  }

  deactivated (nextOffset: number): number {
    if (this.feed !== undefined) this.feed.isActive = false
    this.#listener.moved('inactive', { nextOffset })
    return this.feed?.takenOffset ?? 0
  }
}
