import type { HeldChunk } from './held-chunk.ts'
import { likelyAnswerBytes, type BatchBuilder } from './read-batch.ts'

/**
 * What a window had for a batch: up to `position` everything is in the batch. `holeEnd`: the window has no chunk at
 * `position`, and its next chunk begins here, or it ends here.
 */
export interface Collected { readonly position: number, readonly holeEnd: number | undefined }

/**
 * The chunks that a reader has in memory, from `start` to `position`: at the front those that polls have read already,
 * at the end those that they have not reached yet.
 */
export class Window {
  readonly #maxBytes: number
  readonly #chunks: HeldChunk[] = []
  #start: number
  #position: number
  // The furthest offset that polls have reached, and the index of the chunk that holds it.
  #reached: number
  #reachedIndex = 0
  #aheadBytes = 0

  /**
   * @param start the offset of the first message that is wanted
   * @param maxBytes how many bytes of chunks to keep
   */
  constructor (start: number, maxBytes: number) {
    this.#maxBytes = maxBytes
    this.#start = start
    this.#position = start
    this.#reached = start
  }

  /** The offset after the last chunk. */
  get position (): number {
    return this.#position
  }

  /** How many bytes of chunks still fit behind those that polls have reached; negative when there are too many. */
  get roomAheadBytes (): number {
    return this.#maxBytes - this.#aheadBytes
  }

  covers (offset: number): boolean {
    return offset >= this.#start && offset <= this.#position
  }

  add (held: HeldChunk): void {
    this.#chunks.push(held)
    this.#position = held.chunk.endOffset
    this.#aheadBytes += held.chunk.byteLength
  }

  /** Moves messages from `from` on into the batch: until it is full, the window ends, or offsets are missing. */
  collect (from: number, into: BatchBuilder): Collected {
    let position = from
    let isAtEnd = true
    for (let index = this.#indexOf(from); index < this.#chunks.length; index++) {
      const held = this.#chunks[index]
      isAtEnd = held !== undefined && !into.isPaused
      if (held === undefined || into.isPaused) break
      const { firstOffset, endOffset } = held.chunk
      if (firstOffset > position) return { position, holeEnd: firstOffset }
      position = held.collect(position, into)
      isAtEnd = position >= endOffset
      if (!isAtEnd) break
    }
    this.reach(position)
    return { position, holeEnd: isAtEnd && position < this.#position ? this.#position : undefined }
  }

  /** Nothing that is wanted lies before this offset, apart from what is in the window. False when that was known. */
  advance (to: number): boolean {
    if (to <= this.#position) return false
    this.#position = to
    return true
  }

  /** The chunk that has the offset, or else the next one after it; undefined at the end. */
  chunkAt (offset: number): HeldChunk | undefined {
    return this.#chunks[this.#indexOf(offset)]
  }

  /** Somebody has everything before the position. False when that was known. */
  reach (position: number): boolean {
    if (position <= this.#reached) return false
    this.#reach(position)
    return true
  }

  /**
   * How many bytes an answer from `from` on would take at most, with what the window has: an estimate from the size of
   * its chunks.
   */
  likelyAnswerBytes (from: number, limit: number, maxBytes: number): number {
    let bytes = 0
    let messages = 0
    const end = this.#chunks.length
    for (let index = this.#indexOf(from); index < end && bytes < maxBytes && messages < limit; index++) {
      const held = this.#chunks[index]
      if (held === undefined) break
      const { firstOffset, endOffset } = held.chunk
      const wanted = Math.min(limit - messages, endOffset - Math.max(from, firstOffset))
      messages += wanted
      bytes += held.costBytes * wanted / (endOffset - firstOffset)
    }
    if (bytes <= maxBytes) return likelyAnswerBytes(bytes, messages)
    return likelyAnswerBytes(maxBytes, messages * maxBytes / bytes)
  }

  /** Lets go of all chunks. */
  clear (): void {
    for (const held of this.#chunks.splice(0)) held.release()
  }

  /** Lets go of the chunks that were read, which were kept for polls that come later. */
  trim (): void {
    this.#drop(this.#reachedIndex)
  }

  #reach (position: number): void {
    this.#reached = position
    let held = this.#chunks[this.#reachedIndex]
    while (held !== undefined && held.chunk.endOffset <= position) {
      this.#aheadBytes = Math.max(0, this.#aheadBytes - held.chunk.byteLength)
      held = this.#chunks[++this.#reachedIndex]
    }
    this.#dropRead()
  }

  // Chunks that were read stay while there is room, for a poll that comes a little later. Then the oldest one is
  // dropped.
  #dropRead (): void {
    let bytes = this.#aheadBytes
    let keepFrom = this.#reachedIndex
    while (keepFrom > 0) {
      bytes += this.#chunks[keepFrom - 1]?.costBytes ?? 0
      if (bytes > this.#maxBytes) break
      keepFrom--
    }
    this.#drop(keepFrom)
  }

  #drop (count: number): void {
    for (const held of this.#chunks.splice(0, count)) {
      this.#start = held.chunk.endOffset
      held.release()
    }
    this.#reachedIndex -= count
  }

  // The index of the first chunk with something at or after the offset.
  #indexOf (offset: number): number {
    let low = 0
    let high = this.#chunks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#chunks[middle]?.chunk.endOffset ?? Infinity) <= offset) low = middle + 1
      else high = middle
    }
    return low
  }
}
