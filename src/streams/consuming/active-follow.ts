import { classify } from '../classify.ts'
import { Backoff } from '../common/backoff.ts'
import { Deadline } from '../common/deadline.ts'
import { pause } from '../common/wait.ts'
import type { ChunkPart, PartBounds } from '../reading/chunk-part.ts'
import type { ReadFilter } from '../reading/filter.ts'
import type { Follows } from '../reading/follows.ts'
import type { HeldChunk } from '../reading/held-chunk.ts'
import type { FollowListener, FollowState, LiveSource, Progress, Taken } from '../reading/live-source.ts'
import type { ActiveConsumer, Deactivation } from './active-consumer.ts'
import { ConsumerFollow, type ConsumerFollowOptions } from './consumer-follow.ts'

/** What a follower that is a single active consumer is told beside that. */
export interface ActiveFollowListener extends FollowListener {
  /** It is the active one: what there is to take begins at this offset. */
  activated: (nextOffset: number) => void
  /**
   * It is not the active one, at first or no longer, and there is nothing to take.
   *
   * @returns the offset before which everything was taken by the client
   */
  deactivated: (nextOffset: number) => number
  /** The consumer was reset to this place. */
  moved: (nextOffset: number) => void
}

export interface ActiveFollowOptions {
  readonly stream: string
  readonly consumer: string
  /** Where the consumer reads on now. */
  readonly position: number
  readonly member: Pick<ActiveConsumer, 'listen' | 'place' | 'end'>
  readonly follows: { open: (...args: Parameters<Follows['open']>) => Promise<LiveSource> }
  readonly offsets: ConsumerFollowOptions['offsets']
  /** Stores what was taken while it is the active one. */
  readonly autoCommit: boolean
  /** Given: only the messages that it matches. */
  readonly filter: ReadFilter | undefined
  /** Called when an offset was stored. */
  readonly committed: () => void
  readonly listener: ActiveFollowListener
}

const FIRST_PAUSE_MS = 50
const MAX_PAUSE_MS = 1000
// How long a client may take to store what it was given, when the broker wants another member to be active.
const COMMIT_WAIT_MS = 10_000
const COMMIT_LOOK_MS = 250
const NOTHING_TAKEN = 0

/**
 * A follower of a stream that is a member of a group of single active consumers: it has something to take only while it
 * is the active one.
 */
export class ActiveFollow implements LiveSource {
  readonly stream: string
  readonly #options: ActiveFollowOptions
  readonly #closing = new AbortController()
  // Aborted when it is no longer active.
  #tenure = new AbortController()
  #follow: LiveSource | undefined
  // A chunk that was taken may be worked on when it is no longer active.
  #former: LiveSource | undefined
  /** The stored offset while it is the active one. */
  #place: ConsumerFollow | undefined
  #leaving: Promise<void> = Promise.resolve()
  #position: number
  /** The offset after the last message that was taken since it became active; undefined when none was. */
  #deliveredTo: number | undefined

  constructor (options: ActiveFollowOptions) {
    this.stream = options.stream
    this.#options = options
    this.#position = options.position
  }

  /** The listener can be told from now on, first that it is not active. Call it once. */
  begin (): void {
    const { listener, member } = this.#options
    listener.deactivated(this.#position)
    member.listen({
      activated: (nextOffset) => { this.#activated(nextOffset) },
      deactivated: async (why) => { await this.#deactivated(why) },
      failed: (error) => { listener.failed(error) }
    })
  }

  get position (): number {
    return this.#follow?.position ?? this.#position
  }

  get isAtEnd (): boolean {
    return this.#follow?.isAtEnd ?? false
  }

  take (): Taken | undefined {
    return this.#follow?.take()
  }

  part (chunk: HeldChunk, bounds: PartBounds): ChunkPart | Promise<ChunkPart> {
    const source = this.#follow ?? this.#former
    if (source === undefined) throw new Error('nothing was taken')
    return source.part(chunk, bounds)
  }

  advance (part: Progress): void {
    if (this.#follow === undefined) return
    if (part.count > 0) this.#deliveredTo = part.lastEnd
    this.#follow.advance(part)
  }

  rest (): void {
    this.#follow?.rest()
  }

  look (): void {
    this.#follow?.look()
  }

  seek (offset: number): void {
    this.#position = offset
    this.#deliveredTo = undefined
    this.#follow?.seek(offset)
  }

  /** While it is not active the end of the stream is not looked for. */
  async state (): Promise<FollowState> {
    return await this.#follow?.state() ??
      { nextOffset: this.#position, lastOffset: null, lag: null, endOfStream: false }
  }

  /** See `ConsumerFollow.tick`. */
  tick (nowMs: number, taken: number): void {
    this.#place?.tick(nowMs, taken)
  }

  /** See `ConsumerFollow.end`. The member leaves its group when this has settled: call it before `close`. */
  async end (taken: number): Promise<void> {
    const place = this.#place
    this.#place = undefined
    this.#leaving = place?.end(taken) ?? Promise.resolve()
    await this.#leaving
  }

  /** Leaves the group, when what is to be stored is stored. */
  close (): void {
    if (this.#closing.signal.aborted) return
    this.#closing.abort()
    this.#stop()
    void this.#leaving.then(() => { this.#options.member.end() })
  }

  #activated (nextOffset: number): void {
    this.#position = nextOffset
    this.#deliveredTo = undefined
    this.#tenure = new AbortController()
    void this.#open(nextOffset, this.#tenure.signal)
  }

  async #open (offset: number, signal: AbortSignal): Promise<void> {
    const { follows, offsets, consumer, filter, listener } = this.#options
    const backoff = new Backoff(FIRST_PAUSE_MS, MAX_PAUSE_MS)
    while (!signal.aborted) {
      try {
        const stored = await offsets.find(this.stream, consumer)
        const follow = await follows.open(this.stream, { type: 'offset', offset }, filter, listener, signal)
        if (signal.aborted) {
          follow.close()
          return
        }
        this.#follow = follow
        this.#place = this.#placeAt(stored)
        listener.activated(offset)
        listener.news()
        return
      } catch (error) {
        if (signal.aborted) return
        const failure = classify(error)
        if (!failure.retryable || failure.code === 'draining' || failure.code === 'overloaded') {
          listener.failed(failure)
          return
        }
        await pause(backoff.nextMs(), signal)
      }
    }
  }

  #placeAt (stored: bigint | undefined): ConsumerFollow {
    const { consumer, offsets, autoCommit, committed, listener: { moved } } = this.#options
    return new ConsumerFollow({ stream: this.stream, consumer, offsets, stored, autoCommit, committed, moved })
  }

  async #deactivated (why: Deactivation): Promise<void> {
    const place = this.#place
    this.#place = undefined
    this.#stop()
    if (place === undefined) return
    const taken = this.#options.listener.deactivated(this.#position)
    const deliveredTo = this.#deliveredTo
    if (why === 'lost') {
      await place.end(NOTHING_TAKEN)
      return
    }
    await place.end(taken)
    if (deliveredTo !== undefined) await this.#committed(deliveredTo)
  }

  #stop (): void {
    this.#tenure.abort()
    const follow = this.#follow
    if (follow === undefined) return
    this.#position = follow.position
    this.#former = follow
    this.#follow = undefined
    follow.close()
  }

  // The client has what was delivered and may be about to store it. What is not stored comes to the next member again.
  async #committed (nextOffset: number): Promise<void> {
    const { signal } = this.#closing
    const deadline = new Deadline(COMMIT_WAIT_MS)
    while (!signal.aborted && !deadline.hasPassed) {
      if (await this.#options.member.place().catch(() => 0) >= nextOffset) return
      await pause(COMMIT_LOOK_MS, signal)
    }
  }
}
