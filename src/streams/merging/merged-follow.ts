import type { Lease } from '../common/lease.ts'
import { OnceATurn } from '../common/once-a-turn.ts'
import { StreamsError } from '../errors.ts'
import { encodeCursor } from './cursor.ts'
import { FollowedPartition, type PartitionListener } from './followed-partition.ts'
import type { PartitionGap } from './merged-batch.ts'
import type { MergedFollowListener, MergedFollowOptions, MergedState } from './merged-follow-options.ts'
import { isFinal, openAll } from './opening.ts'
import type { Partition } from './partitions.ts'

// How often it is looked for partitions that were added or removed. They are known for a minute.
const REFRESH_MS = 5000

/**
 * A follower of several partitions. It holds a position in each of them and no data. It does not wait for any of them,
 * and takes from those that have something in turn.
 */
export class MergedFollow {
  readonly lease: (bytes: number) => Lease | undefined
  readonly #options: MergedFollowOptions
  readonly #listener: MergedFollowListener
  readonly #parts: FollowedPartition[]
  readonly #gaps: PartitionGap[]
  // Those that may have something, in their turn.
  readonly #hungry = new Set<FollowedPartition>()
  readonly #news = new OnceATurn(() => { if (!this.#hasEnded) this.#listener.news() })
  readonly #partitionListener: PartitionListener
  #cursor: string | undefined
  #version = 0
  #hasBegun = false
  #hasEnded = false
  #refreshedMs = performance.now()
  #refreshing: Promise<void> | undefined

  constructor (options: MergedFollowOptions) {
    const { listener } = options
    this.lease = options.lease
    this.#options = options
    this.#listener = listener
    this.#gaps = [...options.gaps]
    this.#partitionListener = {
      news: (part) => {
        if (part.place === undefined || !this.#parts.includes(part)) return
        this.#hungry.add(part)
        this.#news.plan()
      },
      behind: () => { listener.behind() },
      activated: ({ name }, nextOffset) => {
        this.#changed()
        listener.activated(name, nextOffset)
      },
      deactivated: ({ name }, nextOffset) => { listener.deactivated(name, nextOffset) },
      moved: ({ name }, nextOffset) => {
        this.#changed()
        listener.moved(name, nextOffset)
      },
      failing: (error) => { this.#failing(error) }
    }
    this.#parts = options.partitions.map(({ partition, offset }) => this.#part(partition, offset))
  }

  /** @throws StreamsError when no partition can be followed, or one will never be; the signal's reason */
  async open (signal: AbortSignal): Promise<void> {
    await openAll(this.#parts, signal)
  }

  /** The listener can be told from now on. */
  begin (): void {
    this.#hasBegun = true
    for (const part of this.#parts) part.begin()
    for (const { failure } of this.#parts) if (failure !== undefined) this.#failing(failure)
  }

  get superStream (): string {
    return this.#options.superStream.name
  }

  /** Where the next read continues. */
  get cursor (): string {
    if (this.#cursor === undefined) {
      const places = [...this.#parts.flatMap(({ place }) => place ?? []), ...this.#options.otherPlaces]
      this.#cursor = encodeCursor(this.superStream, { turn: 0, places })
    }
    return this.#cursor
  }

  /** Of all partitions together: how far it has come. */
  get progress (): number {
    return this.#parts.reduce((sum, { position }) => sum + position, 0)
  }

  /** Whether it has something to take, or would have. */
  get isActive (): boolean {
    return this.#parts.some(({ isActive }) => isActive)
  }

  /** Whether everything that has arrived was taken. */
  get isAtEnd (): boolean {
    return this.isActive &&
      this.#parts.every(({ isActive, isAtEnd, failure }) => failure === undefined && (!isActive || isAtEnd))
  }

  /** What is missing, told once: see `passGap`. */
  get gap (): PartitionGap | undefined {
    return this.#gaps[0]
  }

  passGap (): void {
    this.#gaps.shift()
  }

  /** The next one that may have something. */
  next (): FollowedPartition | undefined {
    const [part] = this.#hungry
    return part
  }

  /** It has nothing until there are news of it. */
  rest (part: FollowedPartition): void {
    this.#hungry.delete(part)
  }

  /** Something was taken of it: the others come first. */
  taken (part: FollowedPartition): void {
    this.#changed()
    this.#hungry.delete(part)
    this.#hungry.add(part)
  }

  /** Nothing is taken for a while: see `LiveSource.rest`. */
  pause (): void {
    for (const part of this.#parts) {
      part.rest()
      this.#hungry.add(part) // until then it has no news
    }
  }

  /** Finds out what has changed. To be called every second or so. */
  look (): void {
    for (const part of this.#parts) if (part.isAtEnd) part.look()
    if (performance.now() - this.#refreshedMs >= REFRESH_MS) this.#refresh()
  }

  /** Never throws. */
  async state (): Promise<MergedState> {
    const version = this.#version
    const parts = this.#parts.filter(({ isActive }) => isActive)
    const states = await Promise.all(parts.map(async (part) => await part.state()))
    const unavailable = this.#parts.flatMap(({ name, failure }) =>
      failure === undefined ? [] : [{ partition: name, error: failure }])
    const isWhole = unavailable.length === 0 && parts.length > 0
    let lag: number | null = isWhole ? 0 : null
    for (const state of states) lag = lag === null || state?.lag === null ? null : lag + (state?.lag ?? 0)
    return {
      lag,
      endOfStream: isWhole && states.every((state) => state?.endOfStream === true),
      unavailable,
      isCurrent: () => version === this.#version
    }
  }

  /** The client has taken everything. */
  noteTaken (): void {
    for (const part of this.#parts) part.noteTaken()
  }

  tick (nowMs: number): void {
    for (const part of this.#parts) part.tick(nowMs)
  }

  /** Settles when nothing is left to be stored for a consumer. Call it before `close`. Never throws. */
  async end (): Promise<void> {
    await Promise.all(this.#parts.map(async (part) => { await part.end() }))
  }

  /** Calling it twice is fine. */
  close (): void {
    this.#hasEnded = true
    this.#hungry.clear()
    for (const part of this.#parts) part.close()
  }

  /** In place of `end` and `close`, when the client was given nothing. */
  abandon (): void {
    for (const part of this.#parts) part.abandon()
    this.close()
  }

  #part (partition: Partition, offset: number | undefined): FollowedPartition {
    const { open, isShared } = this.#options
    const listener = this.#partitionListener
    return new FollowedPartition({ partition, offset, open, isActive: !isShared, listener })
  }

  #changed (): void {
    this.#cursor = undefined
    this.#version++
  }

  #failing (error: StreamsError): void {
    if (!this.#hasBegun || this.#hasEnded) return
    if (isFinal(error)) this.#fail(error)
    if (error.code === 'stream_not_found') {
      this.#options.forget()
      this.#refresh()
    }
    if (this.#parts.every(({ failure }) => failure?.code === 'overloaded')) this.#fail(error)
  }

  #fail (error: unknown): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#listener.failed(error)
  }

  #refresh (): void {
    this.#refreshedMs = performance.now()
    this.#refreshing ??= this.#findChanges()
      .catch((error: unknown) => { if (!(error instanceof StreamsError) || !error.retryable) this.#fail(error) })
      .finally(() => { this.#refreshing = undefined })
  }

  async #findChanges (): Promise<void> {
    const found = await this.#options.find()
    if (this.#hasEnded) return
    for (const part of [...this.#parts]) if (!found.some(({ name }) => name === part.name)) this.#remove(part)
    const added = found.filter(({ name }) => !this.#parts.some((part) => part.name === name))
    for (const partition of added) this.#add(partition)
    if (this.#parts.length === 0) {
      throw new StreamsError('stream_not_found', 'the partitions are no longer those of the super stream')
    }
  }

  #remove (part: FollowedPartition): void {
    part.close()
    this.#hungry.delete(part)
    this.#parts.splice(this.#parts.indexOf(part), 1)
    if (part.place !== undefined) this.#gaps.push({ partition: part.name, from: part.position, to: null })
    this.#changed()
    this.#news.plan()
  }

  #add (partition: Partition): void {
    const part = this.#part(partition, this.#options.addedAt)
    this.#parts.push(part)
    part.begin()
    this.#changed()
    void part.open()
  }
}
