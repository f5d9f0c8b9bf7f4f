import type { StreamsError } from '../errors.ts'
import type { ReadBatch } from '../reading/read-batch.ts'
import type { ReadPiece } from '../reading/read-pieces.ts'
import { encodeCursor, type Place } from './cursor.ts'

/** What is missing of a partition. */
export interface PartitionGap {
  /** Null for one that is gone and whose name is too long to be in a cursor. */
  readonly partition: string | null
  readonly from: number
  /** Inclusive. Null: the partition itself is gone, with all that it had from there on. */
  readonly to: number | null
}

/** A partition that could not be read. */
export interface Unavailable {
  readonly partition: string
  readonly error: StreamsError
}

/** What was read of one partition. */
export interface PartitionRead {
  readonly partition: string
  /** The broker's name of it. */
  readonly stream: string
  /** One after the other. Some may have no messages. */
  readonly batches: readonly ReadBatch[]
  readonly place: Place
  readonly isAtEnd: boolean
}

/** What an answer says beside its messages. */
export interface MergedEnd {
  readonly superStream: string
  readonly reads: readonly PartitionRead[]
  /** Of partitions that were not read: they stay where they are. */
  readonly otherPlaces: readonly Place[]
  readonly turn: number
  readonly gaps: readonly PartitionGap[]
  readonly unavailable: readonly Unavailable[]
  readonly endOfStream: boolean
  /** True when the answer had to wait. */
  readonly wasHeld: boolean
  /** True when a read with a filter has looked at as much as one read may. */
  readonly isSearchOver: boolean
}

interface MergedPiece { readonly partition: number, readonly piece: ReadPiece }

/** Messages of several partitions, and where the next read continues. Its methods are those of `ReadBatch`. */
export class MergedBatch {
  readonly gaps: readonly PartitionGap[]
  readonly unavailable: readonly Unavailable[]
  readonly wasHeld: boolean
  readonly isSearchOver: boolean
  readonly #end: MergedEnd
  readonly #batches: readonly ReadBatch[]
  readonly #nextOffsets: number[]
  #pieces: MergedPiece[]
  #endOfStream: boolean
  #nextCursor: string | undefined

  constructor (end: MergedEnd) {
    this.gaps = end.gaps
    this.unavailable = end.unavailable
    this.wasHeld = end.wasHeld
    this.isSearchOver = end.isSearchOver
    this.#end = end
    this.#batches = end.reads.flatMap(({ batches }) => batches)
    this.#nextOffsets = end.reads.map(({ place }) => place.nextOffset)
    this.#pieces = merged(end.reads.map(({ batches }) => batches.flatMap(({ pieces }) => pieces)))
    this.#endOfStream = end.endOfStream
  }

  /** In the order of the answer: within a partition by offset, across partitions by the time of chunks. */
  get pieces (): readonly ReadPiece[] {
    return this.#pieces.map(({ piece }) => piece)
  }

  /** The partition of a piece, by its index. */
  partitionOf (index: number): string {
    return this.#end.reads[this.#pieces[index]?.partition ?? -1]?.partition ?? ''
  }

  get count (): number {
    return countOf(this.#batches)
  }

  /** The number of messages of each partition, by the broker's name. */
  get counts (): ReadonlyArray<{ readonly stream: string, readonly count: number }> {
    return this.#end.reads.map(({ stream, batches }) => ({ stream, count: countOf(batches) }))
  }

  get storedBytes (): number {
    return this.#batches.reduce((sum, { storedBytes }) => sum + storedBytes, 0)
  }

  get likelyAnswerBytes (): number {
    return this.#batches.reduce((sum, { likelyAnswerBytes }) => sum + likelyAnswerBytes, 0)
  }

  get isReleased (): boolean {
    return this.#batches.some(({ isReleased }) => isReleased)
  }

  get endOfStream (): boolean {
    return this.#endOfStream
  }

  /** The next offset of each partition that was read. */
  get places (): ReadonlyArray<{ readonly partition: string, readonly nextOffset: number }> {
    return this.#end.reads.map(({ partition, place }, index) =>
      ({ partition, nextOffset: this.#nextOffsets[index] ?? place.nextOffset }))
  }

  get nextCursor (): string {
    this.#nextCursor ??= this.#encodeCursor()
    return this.#nextCursor
  }

  #encodeCursor (): string {
    const { superStream, reads, otherPlaces, turn } = this.#end
    const places = reads.map(({ place: { key } }, index) => ({ key, nextOffset: this.#nextOffsets[index] ?? 0 }))
    return encodeCursor(superStream, { turn, places: [...places, ...otherPlaces] })
  }

  /** Charges the answer that is being made, beside the messages. Returns why it must not take so much. */
  hold (answerBytes: number): StreamsError | undefined {
    // The leases of all batches hold what their answers usually take; the first one holds what is more than that.
    const [first, ...others] = this.#batches
    const held = others.reduce((sum, { likelyAnswerBytes }) => sum + likelyAnswerBytes, 0)
    return answerBytes > held ? first?.hold(answerBytes - held) : undefined
  }

  /** The answer ends before the message at this offset of the piece. */
  endBefore (offset: number, index: number): void {
    const [first, ...others] = this.#pieces.splice(index)
    // Backwards: of each partition the first piece that is dropped counts.
    for (const { partition, piece } of others.reverse()) this.#nextOffsets[partition] = piece.offset
    if (first !== undefined) this.#nextOffsets[first.partition] = offset
    this.#endOfStream = false
    this.#nextCursor = undefined
  }

  /** The answer is encoded and takes this many bytes: the messages must not be used afterwards. */
  encoded (answerBytes: number): void {
    this.#pieces = []
    const [first, ...others] = this.#batches
    for (const batch of others) batch.encoded(0)
    first?.encoded(answerBytes)
  }

  /** Gives the memory back; twice is fine. */
  release (): void {
    for (const batch of this.#batches) batch.release()
  }
}

function countOf (batches: readonly ReadBatch[]): number {
  return batches.reduce((sum, { count }) => sum + count, 0)
}

// Always takes the oldest piece of those that are first in their partition. A clock of the broker that was set back
// changes nothing of the order within a partition.
function merged (partitions: ReadonlyArray<readonly ReadPiece[]>): MergedPiece[] {
  const pieces: MergedPiece[] = []
  const heads = partitions.map((own, partition) => ({ own, partition, at: 0 })).filter(({ own }) => own.length > 0)
  while (heads.length > 1) {
    let [oldest] = heads
    let oldestMs = Infinity
    for (const head of heads) {
      const ms = head.own[head.at]?.timestamp ?? Infinity
      if (ms >= oldestMs) continue
      oldest = head
      oldestMs = ms
    }
    if (oldest === undefined) break
    const piece = oldest.own[oldest.at++]
    if (piece !== undefined) pieces.push({ partition: oldest.partition, piece })
    if (oldest.at === oldest.own.length) heads.splice(heads.indexOf(oldest), 1)
  }
  const [last] = heads
  for (const piece of last?.own.slice(last.at) ?? []) pieces.push({ partition: last?.partition ?? 0, piece })
  return pieces
}
