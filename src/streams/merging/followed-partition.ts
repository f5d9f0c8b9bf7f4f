import { classify } from '../classify.ts'
import { Backoff } from '../common/backoff.ts'
import { pause } from '../common/wait.ts'
import type { ActiveFollowListener } from '../consuming/active-follow.ts'
import { StreamsError } from '../errors.ts'
import type { ChunkPart, PartBounds } from '../reading/chunk-part.ts'
import type { HeldChunk } from '../reading/held-chunk.ts'
import type { FollowState, LiveSource, Progress, Taken } from '../reading/live-source.ts'
import type { Place, PartitionKey } from './cursor.ts'
import type { Partition } from './partitions.ts'

/** A partition that is followed, and what keeps the offset of a consumer in it. */
export interface Opened {
  readonly source: LiveSource
  readonly place?: {
    readonly tick: (nowMs: number, taken: number) => void
    readonly end: (taken: number) => Promise<void>
  }
  /** Called when the listener can be told. */
  readonly begin?: () => void
}

/**
 * Begins to follow a partition.
 *
 * @param offset where; undefined: not known, a consumer has a place of its own
 * @throws StreamsError
 */
export type Opener = (
  partition: Partition, offset: number | undefined, listener: ActiveFollowListener, signal: AbortSignal
) => Promise<Opened>

/** Told by a partition of what happens to it. */
export interface PartitionListener {
  news: (partition: FollowedPartition) => void
  behind: () => void
  activated: (partition: FollowedPartition, nextOffset: number) => void
  deactivated: (partition: FollowedPartition, nextOffset: number) => void
  moved: (partition: FollowedPartition, nextOffset: number) => void
  /** It cannot be followed. It is tried again until it is closed. */
  failing: (error: StreamsError) => void
}

export interface FollowedPartitionOptions {
  readonly partition: Partition
  /** Where to begin; undefined: not known before it is open. */
  readonly offset: number | undefined
  /** Whether it has something to take at once, and not only when it is the active one of a group. */
  readonly isActive: boolean
  readonly open: Opener
  readonly listener: PartitionListener
}

const FIRST_PAUSE_MS = 100
const MAX_PAUSE_MS = 2000

/** A follower of one partition beside others. While it cannot be followed, it is tried again. */
export class FollowedPartition implements ActiveFollowListener {
  readonly name: string
  readonly key: PartitionKey
  readonly #options: FollowedPartitionOptions
  readonly #closing = new AbortController()
  #opened: Opened | undefined
  // A chunk that was taken may be worked on when it is followed anew.
  #former: LiveSource | undefined
  #position: number | undefined
  // Everything before this offset was taken by the client; undefined: not known before it is open.
  #taken: number | undefined
  #hasBegun = false
  #failure: StreamsError | undefined
  /** Whether there is something to take, which another member of the group has otherwise. */
  isActive: boolean

  constructor (options: FollowedPartitionOptions) {
    this.#options = options
    this.name = options.partition.name
    this.key = options.partition.key
    this.isActive = options.isActive
    this.#position = options.offset
    this.#taken = options.offset
  }

  /** Undefined: not known. */
  get place (): Place | undefined {
    const nextOffset = this.#opened?.source.position ?? this.#position
    return nextOffset === undefined ? undefined : { key: this.key, nextOffset }
  }

  get position (): number {
    return this.place?.nextOffset ?? 0
  }

  get isAtEnd (): boolean {
    return this.#opened?.source.isAtEnd ?? false
  }

  /** Why it is not followed at the moment; undefined when it is. */
  get failure (): StreamsError | undefined {
    if (this.#opened !== undefined) return undefined
    return this.#failure ??
      new StreamsError('broker_timeout', 'the partition has not answered yet').inPartition(this.name)
  }

  /** Settles when it is followed, or cannot be at the moment, which `failure` says then. Never throws. */
  async open (): Promise<void> {
    await this.#tryOpen()
    if (this.#opened === undefined) void this.#openLater()
  }

  /** The listener can be told from now on. */
  begin (): void {
    this.#hasBegun = true
    this.#opened?.begin?.()
  }

  take (): Taken | undefined {
    return this.#opened?.source.take()
  }

  part (chunk: HeldChunk, bounds: PartBounds): ChunkPart | Promise<ChunkPart> {
    const source = this.#opened?.source ?? this.#former
    if (source === undefined) throw new Error('nothing was taken')
    return source.part(chunk, bounds)
  }

  advance (part: Progress): void {
    this.#opened?.source.advance(part)
  }

  rest (): void {
    this.#opened?.source.rest()
  }

  look (): void {
    this.#opened?.source.look()
  }

  /** Undefined while another one is the active one. */
  async state (): Promise<FollowState | undefined> {
    if (this.isActive) return await this.#opened?.source.state() ?? unknown(this.position)
    return undefined
  }

  /** The client has taken everything. */
  noteTaken (): void {
    this.#taken = this.position
  }

  tick (nowMs: number): void {
    this.#opened?.place?.tick(nowMs, this.#taken ?? 0)
  }

  /** Settles when nothing is left to be stored for a consumer. Call it before `close`. */
  async end (): Promise<void> {
    await this.#opened?.place?.end(this.#taken ?? 0)
  }

  /** In place of `end`, when the client was given nothing. */
  abandon (): void {
    void this.#opened?.place?.end(0)
  }

  /** Calling it twice is fine. */
  close (): void {
    this.#position = this.place?.nextOffset
    this.#closing.abort()
    this.#opened?.source.close()
    this.#opened = undefined
  }

  news (): void {
    this.#options.listener.news(this)
  }

  behind (): void {
    this.#options.listener.behind()
  }

  /** The consumer was reset. */
  readonly moved = (nextOffset: number): void => {
    this.#taken = nextOffset
    this.#opened?.source.seek(nextOffset)
    this.#options.listener.moved(this, nextOffset)
  }

  activated (nextOffset: number): void {
    this.isActive = true
    this.#taken = nextOffset
    this.#options.listener.activated(this, nextOffset)
  }

  deactivated (nextOffset: number): number {
    this.isActive = false
    this.#options.listener.deactivated(this, nextOffset)
    return this.#taken ?? 0
  }

  /** What is followed has come to an end. */
  failed (error: StreamsError): void {
    if (this.#closing.signal.aborted) return
    const opened = this.#opened
    this.#position = this.place?.nextOffset
    this.#former = opened?.source
    this.#opened = undefined
    this.isActive = this.#options.isActive
    void opened?.place?.end(this.#taken ?? 0)
    opened?.source.close()
    this.#note(error)
    if (!this.#closing.signal.aborted) void this.#openLater()
  }

  async #openLater (): Promise<void> {
    const backoff = new Backoff(FIRST_PAUSE_MS, MAX_PAUSE_MS)
    while (this.#opened === undefined) {
      await pause(backoff.nextMs(), this.#closing.signal)
      if (this.#closing.signal.aborted) return
      await this.#tryOpen()
    }
  }

  async #tryOpen (): Promise<void> {
    const { signal } = this.#closing
    if (signal.aborted) return
    try {
      const opened = await this.#options.open(this.#options.partition, this.#position, this, signal)
      if (signal.aborted) {
        void opened.place?.end(0)
        opened.source.close()
        return
      }
      this.#opened = opened
      this.#failure = undefined
      this.#taken ??= opened.source.position
      if (this.#hasBegun) opened.begin?.()
      this.news()
    } catch (error) {
      if (!signal.aborted) this.#note(classify(error))
    }
  }

  #note (error: StreamsError): void {
    this.#failure = error.inPartition(this.name)
    this.#options.listener.failing(this.#failure)
  }
}

function unknown (nextOffset: number): FollowState {
  return { nextOffset, lastOffset: null, lag: null, endOfStream: false }
}
