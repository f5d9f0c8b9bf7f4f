import type { Lease } from '../common/lease.ts'
import type { StreamsError } from '../errors.ts'
import type { Answers } from './answers.ts'
import type { BatchBuilder, ReadBatch } from './read-batch.ts'
import {
  ENTRY_LENGTH_BYTES, type Entry, type EntryRun, type Gap, type ReadMessage, type ReadPiece
} from './read-pieces.ts'

/** Where a poll has stopped, and how. */
export interface PollEnd {
  readonly nextOffset: number
  readonly endOfStream: boolean
  readonly gap: Gap | undefined
  readonly wasHeld: boolean
  readonly isSearchOver: boolean
}

/** What a poll returns, and the memory of the answer that is made of it. */
export class PollAnswer implements ReadBatch {
  readonly gap: Gap | undefined
  readonly wasHeld: boolean
  readonly isSearchOver: boolean
  readonly storedBytes: number
  readonly likelyAnswerBytes: number
  readonly #batch: BatchBuilder
  readonly #lease: Lease
  readonly #answers: Answers
  #nextOffset: number
  #endOfStream: boolean
  #lastOffset: number | undefined
  #count: number

  constructor (batch: BatchBuilder, lease: Lease, answers: Answers, end: PollEnd) {
    this.gap = end.gap
    this.wasHeld = end.wasHeld
    this.isSearchOver = end.isSearchOver
    this.storedBytes = batch.bytes
    this.likelyAnswerBytes = batch.answerBytes
    this.#batch = batch
    this.#lease = lease
    this.#answers = answers
    this.#nextOffset = end.nextOffset
    this.#endOfStream = end.endOfStream
    this.#lastOffset = batch.lastOffset
    this.#count = batch.count
  }

  get pieces (): readonly ReadPiece[] {
    return this.#batch.pieces
  }

  get messages (): readonly ReadMessage[] {
    return messagesOf(this.#batch.pieces)
  }

  get count (): number {
    return this.#count
  }

  get lastOffset (): number | undefined {
    return this.#lastOffset
  }

  get nextOffset (): number {
    return this.#nextOffset
  }

  get endOfStream (): boolean {
    return this.#endOfStream
  }

  get isReleased (): boolean {
    return this.#lease.hasEnded
  }

  hold (answerBytes: number): StreamsError | undefined {
    return this.#answers.grow(this.#lease, answerBytes)
  }

  endBefore (offset: number): void {
    this.#batch.endBefore(offset)
    this.#nextOffset = offset
    this.#endOfStream = false
    this.#lastOffset = this.#batch.lastOffset
    this.#count = this.#batch.count
  }

  encoded (answerBytes: number): void {
    if (this.#lease.hasEnded) return // the caller left while the answer was made
    this.#batch.letGo()
    this.#lease.resize(answerBytes)
  }

  release (): void {
    this.#batch.release()
    this.#lease.end()
  }
}

/** The messages of the pieces one by one. */
function messagesOf (pieces: readonly ReadPiece[]): ReadMessage[] {
  return pieces.flatMap<ReadMessage>((piece) => piece.kind === 'run' ? entriesOf(piece) : [piece])
}

function entriesOf ({ offset, timestamp, data, start, count }: EntryRun): Entry[] {
  const entries: Entry[] = []
  let at = start
  for (let index = 0; index < count; index++) {
    const from = at + ENTRY_LENGTH_BYTES
    at = from + data.readUInt32BE(at)
    entries.push({ kind: 'entry', offset: offset + index, timestamp, bytes: data.subarray(from, at) })
  }
  return entries
}
