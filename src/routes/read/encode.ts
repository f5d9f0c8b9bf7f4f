import { linesOf, type BatchFrame, type BatchSlice, type Lines } from '../../messages/index.ts'
import type { ReadBatch, ReadPiece } from '../../streams/index.ts'
import type { BufferPool } from '../../text/buffer-pool.ts'
import { AnswerBlocks, type Mark } from './answer-blocks.ts'

// How long an answer is worked on in one turn of the event loop.
const TURN_MS = 4

// What an answer may take at most: so many times the bytes that were asked for, and room for each message.
const ANSWER_FACTOR = 2
const MESSAGE_BYTES = 512

/** Spreads work over turns of the event loop. Each turn works for a few milliseconds. */
export class Pace {
  readonly #turn: (bytes: number) => Promise<void> | undefined
  readonly #bytes: number
  readonly #check: () => void
  #startMs = -Infinity

  /**
   * @param turn settles when work on this many bytes may begin; undefined when it may at once
   * @param bytes what the work is on
   * @param check throws when nobody waits for the work any more
   */
  constructor (turn: (bytes: number) => Promise<void> | undefined, bytes: number, check: () => void) {
    this.#turn = turn
    this.#bytes = bytes
    this.#check = check
  }

  /** Settles when the work may begin. */
  async begin (): Promise<void> {
    if (this.#startMs === -Infinity) await this.#wait(this.#bytes)
  }

  /** Settles when the work may go on; undefined when it may at once. */
  next (): Promise<void> | undefined {
    return performance.now() - this.#startMs < TURN_MS ? undefined : this.#wait(Infinity)
  }

  async #wait (bytes: number): Promise<void> {
    const turn = this.#turn(bytes)
    if (turn !== undefined) {
      await turn
      this.#check()
    }
    this.#startMs = performance.now()
  }
}

/** What is encoded: a batch of one stream, or of several partitions. */
interface Encodable extends Pick<ReadBatch, 'pieces' | 'count' | 'likelyAnswerBytes' | 'hold' | 'encoded'> {
  /** The answer ends before the message at this offset, which is in the piece of this index or right behind it. */
  readonly endBefore: (offset: number, piece: number) => void
}

/** What the text of a batch looks like. */
export interface BatchText<Batch> {
  readonly frame: BatchFrame<Batch>
  /** The messages, in slices of less than a few milliseconds of work. */
  readonly slicesOf: (pieces: readonly ReadPiece[]) => Iterable<BatchSlice>
}

/**
 * The bytes of a batch in a format. Its memory is charged piece by piece before it is taken. Where there is no room for
 * more, or the answer grows too large, the batch ends before the message that did not fit.
 *
 * @throws StreamsError `overloaded` when there is no room for the first message
 */
export async function encodeBatch<Batch extends Encodable> (
  batch: Batch, { frame, slicesOf }: BatchText<Batch>, maxBytes: number, pace: Pace
): Promise<readonly Buffer[]> {
  await pace.begin()
  const blocks = blocksFor(batch)
  const limitBytes = ANSWER_FACTOR * maxBytes + MESSAGE_BYTES * batch.count
  let last: { readonly mark: Mark, readonly reached: number, readonly piece: number } | undefined
  let refusal = blocks.add(frame.before)
  for (const { text, reached, piece } of slicesOf(batch.pieces)) {
    refusal ??= blocks.add(text)
    if (refusal !== undefined && last === undefined) throw refusal
    if (last !== undefined && (refusal !== undefined || blocks.bytes > limitBytes)) {
      blocks.cutTo(last.mark)
      batch.endBefore(last.reached, last.piece)
      break
    }
    if (reached !== undefined) last = { mark: blocks.mark(), reached, piece }
    const turn = pace.next()
    if (turn !== undefined) await turn
  }
  return finish(batch, blocks, frame.after(batch, last === undefined))
}

/** The bytes of slices of text, charged as above. @throws StreamsError `overloaded` */
export async function encodeSlices (
  batch: ReadBatch, slices: Iterable<string>, pace: Pace
): Promise<readonly Buffer[]> {
  await pace.begin()
  const blocks = blocksFor(batch)
  for (const text of slices) {
    const refusal = blocks.add(text)
    if (refusal !== undefined) throw refusal
    const turn = pace.next()
    if (turn !== undefined) await turn
  }
  return finish(batch, blocks, '')
}

/** The bodies of a batch as lines. */
export async function encodeLines (
  batch: Pick<ReadBatch, 'pieces'>, pool: BufferPool, pace: Pace
): Promise<Lines> {
  await pace.begin()
  const steps = linesOf(batch.pieces, pool)
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
    const turn = pace.next()
    if (turn !== undefined) await turn
  }
}

function blocksFor (batch: Encodable): AnswerBlocks {
  return new AnswerBlocks(batch.likelyAnswerBytes, (bytes) => batch.hold(bytes))
}

function finish (batch: Encodable, blocks: AnswerBlocks, end: string): readonly Buffer[] {
  const buffers = blocks.finish(end)
  batch.encoded(blocks.heldBytes)
  return buffers
}
