import type { Lease } from '../common/lease.ts'
import type { Answers } from './answers.ts'
import type { ReadFilter } from './filter.ts'
import type { HeldChunk } from './held-chunk.ts'
import { BatchBuilder, likelyAnswerBytes } from './read-batch.ts'
import type { ReadPiece } from './read-pieces.ts'
import { Scan } from './search.ts'

/** How much of a chunk: messages from an offset on and before another one. */
export interface PartBounds {
  readonly from: number
  readonly before: number
  /** The largest number of messages. */
  readonly limit: number
  readonly maxBytes: number
}

/** Messages of one chunk: all of those from `from` to `to`, or with a filter those that match. */
export interface ChunkPart {
  readonly from: number
  readonly to: number
  /** The offset after the last message; `from` when there is no message. */
  readonly lastEnd: number
  readonly pieces: readonly ReadPiece[]
  /** How many messages there are; an unreadable piece counts as one. */
  readonly count: number
  /** Size of the messages as they are stored. */
  readonly storedBytes: number
  /** What a text made of them usually takes. */
  readonly likelyBytes: number
  /** Takes memory for what is made of the messages; undefined when there is no room for it. End the lease. */
  lease: (bytes: number) => Lease | undefined
  /** The messages are no longer used. */
  release: () => void
}

/**
 * The messages of a chunk from an offset on, as many as fit. With a filter it is no more than takes a few milliseconds
 * to look at, and perhaps nothing in it matches. A promise when a compressed batch has to be expanded
 * first. Its rejection is a `StreamsError` `overloaded`.
 */
export function partOfChunk (
  chunk: HeldChunk, answers: Answers, { from, before, limit, maxBytes }: PartBounds, filter: ReadFilter | undefined
): ChunkPart | Promise<ChunkPart> {
  const batch = filter === undefined
    ? new BatchBuilder(Math.min(limit, before - from), maxBytes)
    : new BatchBuilder(limit, maxBytes, new Scan(filter, before - from))
  const to = chunk.collect(from, batch)
  if (batch.expansion !== undefined) return expanded(chunk, answers, batch, from, to)
  return new Part(batch, answers, from, to)
}

async function expanded (
  chunk: HeldChunk, answers: Answers, batch: BatchBuilder, from: number, reached: number
): Promise<ChunkPart> {
  let to = reached
  try {
    for (let next = batch.takeExpansion(); next !== undefined; next = batch.takeExpansion()) {
      await next.run()
      if (batch.isFull) break
      to = chunk.collect(to, batch)
    }
  } catch (error) {
    batch.release()
    throw error
  }
  return new Part(batch, answers, from, to)
}

class Part implements ChunkPart {
  readonly from: number
  readonly to: number
  readonly #batch: BatchBuilder
  readonly #answers: Answers

  constructor (batch: BatchBuilder, answers: Answers, from: number, to: number) {
    this.#batch = batch
    this.#answers = answers
    this.from = from
    this.to = to
  }

  get lastEnd (): number {
    const { lastOffset } = this.#batch
    return lastOffset === undefined ? this.from : lastOffset + 1
  }

  get pieces (): readonly ReadPiece[] {
    return this.#batch.pieces
  }

  get count (): number {
    return this.#batch.count
  }

  get storedBytes (): number {
    return this.#batch.bytes
  }

  get likelyBytes (): number {
    return likelyAnswerBytes(this.#batch.bytes, this.#batch.count)
  }

  lease (bytes: number): Lease | undefined {
    return this.#answers.take(bytes)
  }

  release (): void {
    this.#batch.release()
  }
}
