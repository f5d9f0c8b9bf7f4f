import {
  cursorSuffix, keyTextOf, type FollowedPartition, type MergedFollow, type MergedFollowListener
} from '../streams/index.ts'
import { Block, bytesOf, MARK } from './block.ts'
import type { Fed, FeedListener, FeedState, LiveFeed } from './live-feed.ts'
import type { Representation, Segment } from './segment.ts'
import type { Segments } from './segments.ts'

export interface MergedFeedOptions {
  readonly segments: Segments
  /** As of a stream. */
  readonly representation: Representation
  /** Whether a consumer is followed. */
  readonly hasPlace: boolean
  readonly listener: FeedListener
  /** The code and the text of an error, as clients are told. */
  readonly describe: (error: unknown) => { readonly code: string, readonly detail: string }
}

// How often it is looked for partitions that were added or removed.
const LOOK_MS = 5000

/**
 * The messages of the partitions of a super stream, each with a cursor as its id. The texts are made once for all who
 * want them alike, but for the beginning of the cursor, of which every answer has its own. It holds positions and no
 * data, and takes of every partition that has something in turn.
 */
export class MergedFeed implements LiveFeed {
  readonly #options: MergedFeedOptions
  readonly #follow: MergedFollow
  readonly #representations = new Map<FollowedPartition, Representation>()
  #toldProgress: number

  /** @throws what `open` throws */
  static async open (
    options: MergedFeedOptions, open: (listener: MergedFollowListener) => Promise<MergedFollow>
  ): Promise<MergedFeed> {
    return new MergedFeed(options, await open(listenerOf(options.listener)))
  }

  private constructor (options: MergedFeedOptions, follow: MergedFollow) {
    this.#options = options
    this.#follow = follow
    this.#toldProgress = follow.progress
  }

  /** The listener can be told from now on. */
  begin (): void {
    this.#follow.begin()
  }

  get id (): string {
    return this.#follow.cursor
  }

  get here (): object {
    return { nextCursor: this.id }
  }

  get isActive (): boolean {
    return this.#follow.isActive
  }

  get isAtEnd (): boolean {
    return this.#follow.isAtEnd
  }

  get skipped (): number {
    return this.#follow.progress - this.#toldProgress
  }

  get quietMs (): number {
    return this.#options.hasPlace || this.#options.representation.isFiltered ? 0 : LOOK_MS
  }

  take (limit: number): Fed {
    const follow = this.#follow
    const { gap } = follow
    if (gap !== undefined) return { gap: { data: gap, pass: () => { follow.passGap() } } }
    for (let part = follow.next(); part !== undefined; part = follow.next()) {
      const fed = this.#takeOf(part, limit)
      if (fed === undefined) follow.rest(part)
      else if (fed !== 'skipped') return fed
    }
    return undefined
  }

  told (): void {
    if (this.#options.representation.isFiltered) this.#toldProgress = this.#follow.progress
  }

  noteTaken (): void {
    if (this.#options.hasPlace) this.#follow.noteTaken()
  }

  async state (): Promise<FeedState> {
    const { lag, endOfStream, unavailable, isCurrent } = await this.#follow.state()
    const data = {
      nextCursor: this.id,
      lag,
      endOfStream,
      unavailable: unavailable.map(({ partition, error }) => ({ partition, ...this.#options.describe(error) }))
    }
    return { data, endOfStream, isCurrent }
  }

  rest (): void {
    this.#follow.pause()
  }

  look (): void {
    this.#follow.look()
  }

  tick (nowMs: number): void {
    if (this.#options.hasPlace) this.#follow.tick(nowMs)
  }

  end (): Promise<void> | undefined {
    return this.#options.hasPlace ? this.#follow.end() : undefined
  }

  close (): void {
    this.#follow.close()
  }

  abandon (): void {
    this.#follow.abandon()
  }

  #takeOf (part: FollowedPartition, limit: number): Fed | 'skipped' {
    const taken = part.take()
    if (taken === undefined) return undefined
    if (taken.kind === 'gap') {
      const { from, to } = taken.gap
      const pass = (): void => { this.#passed(part, { to: to + 1, lastEnd: from, count: 0 }) }
      return { gap: { data: { partition: part.name, from, to }, pass } }
    }
    const { segments } = this.#options
    const representation = this.#representationOf(part)
    const made = segments.of(taken.chunk, { source: part, representation, limit, whenMade: () => { part.news() } })
    if (made === 'full') return made
    if (made === 'later') return undefined
    const messages = made.count === 0 ? undefined : this.#block(made)
    if (messages === 'full') return messages
    this.#passed(part, made)
    if (messages === undefined) return 'skipped'
    this.told()
    return { messages }
  }

  #passed (part: FollowedPartition, progress: { to: number, lastEnd: number, count: number }): void {
    part.advance(progress)
    this.#follow.taken(part)
  }

  // The cursor before its messages: that after each of them is this one with another place in their partition.
  #block (segment: Segment): Block | 'full' {
    const text = Buffer.from(this.#options.representation.format.cursorLead(this.id), 'latin1')
    const lease = this.#follow.lease(bytesOf(segment, text))
    return lease === undefined ? 'full' : new Block(segment, text, lease)
  }

  #representationOf (part: FollowedPartition): Representation {
    const known = this.#representations.get(part)
    if (known !== undefined) return known
    const { representation } = this.#options
    const { format } = representation
    const keyText = keyTextOf(part.key)
    const lead = (reached: number): string => MARK + format.cursorEnd(cursorSuffix(keyText, reached))
    const own = {
      ...representation,
      key: `${representation.key} ${this.#follow.superStream}/${part.name}`,
      lead,
      opening: `${format.cursorOpening}"partition":${JSON.stringify(part.name)},`
    }
    this.#representations.set(part, own)
    return own
  }
}

function listenerOf (listener: FeedListener): MergedFollowListener {
  return {
    news: listener.news,
    behind: () => { listener.behind() },
    failed: (error) => { listener.failed(error) },
    moved: (partition, nextOffset) => { listener.moved('reset', { partition, nextOffset }) },
    activated: (partition, nextOffset) => { listener.moved('active', { partition, nextOffset }) },
    deactivated: (partition, nextOffset) => { listener.moved('inactive', { partition, nextOffset }) }
  }
}
