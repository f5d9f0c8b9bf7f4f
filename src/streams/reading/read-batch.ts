import type { StreamsError } from '../errors.ts'
import type { Sieve } from './search.ts'
import {
  ENTRY_LENGTH_BYTES, type EntryRun, type Gap, type ReadMessage, type ReadPiece, type Unreadable
} from './read-pieces.ts'

export interface ReadBatch {
  /** The messages, in order. */
  readonly pieces: readonly ReadPiece[]
  /** The same messages one by one, made when they are asked for. */
  readonly messages: readonly ReadMessage[]
  /** How many messages there are; an unreadable piece counts as one. */
  readonly count: number
  /** The last offset of the messages; undefined when the batch is empty. */
  readonly lastOffset: number | undefined
  /** Where the next read continues. Nothing between is missed. */
  readonly nextOffset: number
  /** True when nothing readable was left when the answer was made. */
  readonly endOfStream: boolean
  readonly gap: Gap | undefined
  /** True when the answer had to wait: there was nothing at first, or a connection was lost. */
  readonly wasHeld: boolean
  /** True when a read with a filter has looked at as much as one read may: more may follow at `nextOffset`. */
  readonly isSearchOver: boolean
  /** Size of the messages as they are stored. */
  readonly storedBytes: number
  /** What an answer made of the messages usually takes; it is counted beside them at first. */
  readonly likelyAnswerBytes: number
  /** True once the memory was given back, because the caller is gone. */
  readonly isReleased: boolean
  /**
   * The answer that is being made is going to take this many bytes, beside the messages. A single answer is always let
   * through.
   *
   * @returns why it must not take them: `overloaded`
   */
  hold (answerBytes: number): StreamsError | undefined
  /** The answer ends before the message at this offset: the next read continues with it. */
  endBefore (offset: number): void
  /**
   * The answer is encoded and takes this many bytes: from now on these are counted and no longer the messages, which
   * must not be used afterwards.
   */
  encoded (answerBytes: number): void
  /** Gives the memory back. Call it when the answer has been written or dropped; twice is fine. */
  release (): void
}

/** Memory with several holders. The last one to let go gives it back. */
export interface Held {
  retain (): void
  release (): void
}

/** A sub-entry batch that has to be expanded. */
export interface Expansion {
  /** What the batch is in: continue with it when the batch is expanded. */
  readonly held: { collect (from: number, into: BatchBuilder): number }
  /** Settles when the batch is expanded, or the read that asks is full. @throws StreamsError `overloaded` */
  run (): Promise<void>
}

const MAX_EXPANDED_NOW_BYTES = 512 * 1024

// Bytes as base64 grow by a third, and offset, timestamp and properties stand around each message.
const ANSWER_GROWTH = 1.4
const MESSAGE_BYTES = 200

export function likelyAnswerBytes (storedBytes: number, messages: number): number {
  return Math.ceil(storedBytes * ANSWER_GROWTH) + messages * MESSAGE_BYTES
}

/** Gathers messages up to a number and a size. At least one message always fits, however large. */
export class BatchBuilder {
  readonly #pieces: ReadPiece[] = []
  readonly #limit: number
  readonly #maxBytes: number
  readonly #sieve: Sieve | undefined
  readonly #held = new Set<Held>()
  // The last piece, while it is a run that may grow.
  #run: { -readonly [Field in keyof EntryRun]: EntryRun[Field] } | undefined
  #count = 0
  #bytes = 0
  #expandedBytes = 0
  #expandedNowBytes = 0
  #isFull = false
  /** A batch at which adding has stopped, because it is expanded on another thread. */
  expansion: Expansion | undefined

  /** @param sieve only messages that it wants are added */
  constructor (limit: number, maxBytes: number, sieve?: Sieve) {
    this.#limit = limit
    this.#maxBytes = maxBytes
    this.#sieve = sieve
  }

  get pieces (): readonly ReadPiece[] {
    return this.#pieces
  }

  get count (): number {
    return this.#count
  }

  get bytes (): number {
    return this.#bytes
  }

  get isFull (): boolean {
    return this.#isFull
  }

  /** Nothing more is taken at the moment: it is full, or the sieve has done enough in this turn. */
  get isPaused (): boolean {
    return this.#isFull || this.#sieve?.isPaused === true
  }

  /** How many bytes an answer made of the messages is likely to take. */
  get answerBytes (): number {
    return likelyAnswerBytes(this.#bytes, this.#count)
  }

  get isEmpty (): boolean {
    return this.#count === 0
  }

  get lastOffset (): number | undefined {
    const last = this.#pieces.at(-1)
    return last && last.offset + (last.kind === 'run' ? last.count : last.records) - 1
  }

  /**
   * Adds the message of `length` bytes at `at` of `data`, with its length before it, unless the sieve leaves it out.
   *
   * @returns false when it does not fit
   */
  addEntry (data: Buffer, at: number, length: number, offset: number, timestamp: number): boolean {
    if (this.#sieve?.wants(data, at, length) === false) return true
    if (!this.#take(length)) return false
    const start = at - ENTRY_LENGTH_BYTES
    const run = this.#run
    if (run !== undefined && run.data === data && run.end === start && run.offset + run.count === offset) {
      run.end = at + length
      run.count++
    } else {
      this.#run = { kind: 'run', offset, timestamp, data, start, end: at + length, count: 1 }
      this.#pieces.push(this.#run)
    }
    return true
  }

  /** @returns false when it does not fit */
  addUnreadable (piece: Unreadable): boolean {
    if (!this.#take(piece.bytes.length)) return false
    this.#run = undefined
    this.#pieces.push(piece)
    return true
  }

  /**
   * Whether this many bytes of compressed batches may be expanded for this read. When not, the read is full. The first
   * batch always may.
   */
  mayExpand (bytes: number, maxBytes: number): boolean {
    if (!this.isEmpty && this.#expandedBytes + bytes > maxBytes) {
      this.#isFull = true
      return false
    }
    this.#expandedBytes += bytes
    return true
  }

  /** Drops the messages from this offset on. An unreadable piece is dropped as a whole. */
  endBefore (offset: number): void {
    for (let last = this.#pieces.at(-1); last !== undefined && last.offset >= offset; last = this.#pieces.at(-1)) {
      this.#pieces.pop()
      this.#count -= last.kind === 'run' ? last.count : 1
    }
    const last = this.#pieces.at(-1)
    if (last?.kind !== 'run' || last.offset + last.count <= offset) return
    const count = offset - last.offset
    this.#count -= last.count - count
    let end = last.start
    for (let index = 0; index < count; index++) end += ENTRY_LENGTH_BYTES + last.data.readUInt32BE(end)
    this.#pieces[this.#pieces.length - 1] = { ...last, count, end }
    this.#run = undefined
  }

  /**
   * Counts bytes that are to be expanded in this turn of the event loop. False when all that were counted since
   * `takeExpansion` would take more than a few milliseconds.
   */
  mayExpandNow (bytes: number): boolean {
    this.#expandedNowBytes += bytes
    return this.#expandedNowBytes <= MAX_EXPANDED_NOW_BYTES
  }

  /** What has to be expanded before messages can be added, if anything. */
  takeExpansion (): Expansion | undefined {
    const { expansion } = this
    this.expansion = undefined
    if (expansion !== undefined) this.#expandedNowBytes = 0
    return expansion
  }

  /** Nothing more is added. */
  close (): void {
    this.#isFull = true
  }

  /** Keeps memory that messages lie in until the batch is released. */
  hold (memory: Held): void {
    if (this.#held.has(memory)) return
    this.#held.add(memory)
    memory.retain()
  }

  release (): void {
    for (const memory of this.#held) memory.release()
    this.#held.clear()
  }

  /** Releases it, and lets go of the messages too. */
  letGo (): void {
    this.release()
    this.#pieces.length = 0
    this.#run = undefined
  }

  #take (bytes: number): boolean {
    if (this.#count > 0 && this.#bytes + bytes > this.#maxBytes) {
      this.#isFull = true
      return false
    }
    this.#count++
    this.#bytes += bytes
    if (this.#count >= this.#limit || this.#bytes >= this.#maxBytes) this.#isFull = true
    return true
  }
}
