import { classify } from '../classify.ts'
import { Backoff } from '../common/backoff.ts'
import { Deadline } from '../common/deadline.ts'
import type { Lease } from '../common/lease.ts'
import { pause } from '../common/wait.ts'
import { lookAhead, throwIfOver } from './look-ahead.ts'
import { PollAnswer } from './poll-answer.ts'
import { BatchBuilder, type ReadBatch } from './read-batch.ts'
import type { Gap } from './read-pieces.ts'
import type { Reader } from './reader.ts'
import { SearchRun, type Search } from './search.ts'
import type { Collected } from './window.ts'
import type { ReaderPool } from './reader-pool.ts'
import type { StreamEnds } from '../topology/stream-ends.ts'

export interface PollRequest {
  /** The broker's name. */
  readonly stream: string
  readonly offset: number
  /** The offset is known to be no further than the stream's end. */
  readonly isReachable: boolean
  /** The largest number of messages. */
  readonly limit: number
  /** The largest number of bytes as stored; at least one message is read, whatever its size. */
  readonly maxBytes: number
  /** How long to hold an empty answer, ms. */
  readonly waitMs: number
  /** Given: only what it wants. */
  readonly search?: Search | undefined
}

export interface PollContext {
  readonly readers: ReaderPool
  readonly ends: StreamEnds
  /** True when the process shuts down: a poll that is woken then answers with what there is. */
  readonly isDraining: () => boolean
}

// How long a poll that need not wait for data outlives a lost connection or leader.
const RECOVERY_MS = 2000

/**
 * Reads a batch. It misses nothing that is wanted between its offset and its `nextOffset`.
 *
 * @param signal the caller went away
 * @throws StreamsError `offset_out_of_range`, `stream_not_found`, `overloaded`, `broker_unavailable`, ...; the signal's
 *   reason
 */
export async function poll (request: PollRequest, context: PollContext, signal: AbortSignal): Promise<ReadBatch> {
  const run = new Poll(request, context, signal)
  try {
    return await run.toEnd()
  } catch (error) {
    run.drop()
    signal.throwIfAborted()
    throw classify(error)
  }
}

class Poll {
  readonly #request: PollRequest
  readonly #context: PollContext
  readonly #signal: AbortSignal
  readonly #batch: BatchBuilder
  readonly #startedMs = performance.now()
  readonly #wait: Deadline
  readonly #lease: Lease
  readonly #search: SearchRun | undefined
  #position: number
  #gap: Gap | undefined
  #hasWaited = false
  #wasAtEnd = false // of a search: it has looked at all there was
  #first: { readonly askedMs: number, readonly offset: number } | undefined

  constructor (request: PollRequest, context: PollContext, signal: AbortSignal) {
    this.#request = request
    this.#context = context
    this.#signal = signal
    this.#search = request.search && new SearchRun(request.search, context.readers.maxScanBytes)
    this.#batch = new BatchBuilder(request.limit, request.maxBytes, this.#search)
    this.#wait = new Deadline(request.waitMs)
    this.#lease = context.readers.answers.lease()
    this.#position = request.offset
  }

  drop (): void {
    this.#batch.release()
    this.#lease.end()
  }

  // A lost reader is replaced by one at the position that was reached: the poll outlives it.
  async toEnd (): Promise<ReadBatch> {
    const { readers } = this.#context
    const { stream, isReachable, waitMs } = this.#request
    const recovery = new Deadline(Math.max(waitMs, RECOVERY_MS))
    const backoff = new Backoff(50, 1000)
    for (;;) {
      try {
        const reader = await readers.acquire(
          stream,
          this.#position,
          isReachable && this.#position === this.#request.offset && !this.#hasWaited,
          this.#request.search?.filter
        )
        try {
          const answer = await this.#fill(reader)
          if (answer !== 'overtaken') return answer
        } finally {
          readers.release(reader)
        }
      } catch (error) {
        const failure = classify(error)
        if (this.#signal.aborted) throw failure
        if (!this.#batch.isEmpty || this.#hasSearched) return this.#answer(false)
        // A connection that vanished without a word shows itself by an answer that does not come.
        const canPass = failure.code === 'broker_unavailable' || failure.code === 'stream_not_available' ||
          failure.code === 'broker_timeout'
        if (!canPass || recovery.hasPassed || this.#context.isDraining()) throw failure
        this.#hasWaited = true
        await pause(backoff.nextMs(), this.#signal)
      }
    }
  }

  // `overtaken`: while this poll waited, faster ones of the same reader have moved its window past the position.
  async #fill (reader: Reader): Promise<ReadBatch | 'overtaken'> {
    for (;;) {
      const ended = await this.#collect(reader)
      if (ended !== undefined) return ended
      if (this.#search?.isOver === true) return this.#answer(false)
      const isOver = this.#batch.isFull || (!this.#batch.isEmpty && this.#hasWaited)
      // Data has arrived after this poll began, and it was the last there was: the broker need not be asked.
      const isAtEnd =
        reader.position === this.#position && reader.endedWithLastChunk && reader.lastArrivalMs >= this.#startedMs
      if (!this.#batch.isEmpty && isAtEnd) return this.#answer(true)
      if (isOver && reader.position > this.#position) return this.#answer(false)
      const mayWait = this.#mayWait()
      if (mayWait && (this.#search === undefined || this.#wasAtEnd)) {
        await this.#news(reader)
        continue
      }
      const ahead = await lookAhead(reader, this.#position, this.#context.ends, this.#signal, this.#search)
      this.#wasAtEnd = ahead === 'end'
      if (this.#wasAtEnd) {
        if (mayWait) continue
        // What the broker has left out at the end is read too.
        const ended = reader.position > this.#position ? await this.#collect(reader) : undefined
        return ended ?? this.#answer(true)
      }
      if (isOver || ahead !== 'more') return this.#answer(false)
    }
  }

  async #news (reader: Reader): Promise<void> {
    reader.demand()
    this.#hasWaited = true
    const startedMs = performance.now()
    await reader.news(this.#wait.remainingMs, this.#signal)
    this.#search?.waited(performance.now() - startedMs)
    throwIfOver(reader, this.#signal)
  }

  // Takes what the reader has. A hole in the offsets is a record of the broker, which no reader sees, what the broker
  // has left out for a filter, or what retention has removed.
  async #collect (reader: Reader): Promise<ReadBatch | 'overtaken' | undefined> {
    for (;;) {
      throwIfOver(reader, this.#signal)
      // Chunks that the window has dropped at its front would be taken for a hole.
      if (!reader.covers(this.#position)) return 'overtaken'
      const { position, holeEnd } = this.#take(reader)
      this.#position = position
      if (await this.#expand(reader)) continue
      if (this.#search?.isPaused === true && !this.#batch.isFull) {
        if (this.#search.isOver) return undefined
        await this.#search.nextTurn()
        continue
      }
      if (holeEnd === undefined) return undefined
      const firstOffset = await this.#firstOffset(reader)
      if (firstOffset > position) {
        if (!this.#batch.isEmpty) return this.#answer(false) // the next poll begins with the gap
        this.#gap = { from: this.#gap?.from ?? position, to: Math.min(holeEnd, firstOffset) - 1 }
      }
      this.#position = holeEnd
    }
  }

  // With a filter nearly every chunk comes behind a hole: what was asked after the last one came is still right.
  async #firstOffset (reader: Reader): Promise<number> {
    let first = reader.isFiltered ? this.#first : undefined
    if (first === undefined || first.askedMs < reader.lastMoveMs) {
      const askedMs = performance.now()
      first = { askedMs, offset: await this.#context.ends.firstOffset(this.#request.stream) }
      this.#first = first
    }
    return first.offset
  }

  // The room is checked before anything is taken: a refusal has to be cheap, and taking ten thousand messages apart is
  // not.
  #take (reader: Reader): Collected {
    const { limit, maxBytes } = this.#request
    const { answers } = this.#context.readers
    answers.makeRoom(this.#lease, reader.likelyAnswerBytes(this.#position, limit, maxBytes))
    const collected = reader.collect(this.#position, this.#batch)
    this.#lease.resize(this.#batch.answerBytes)
    return collected
  }

  // Expands what stands in the way, and takes what was in it: the window may have moved on meanwhile. False when there
  // was nothing to expand.
  async #expand (reader: Reader): Promise<boolean> {
    let hasExpanded = false
    for (let next = this.#batch.takeExpansion(); next !== undefined; next = this.#batch.takeExpansion()) {
      hasExpanded = true
      try {
        await next.run()
      } finally {
        throwIfOver(reader, this.#signal)
      }
      if (this.#batch.isFull) break
      this.#position = next.held.collect(this.#position, this.#batch)
      this.#lease.resize(this.#batch.answerBytes)
    }
    return hasExpanded
  }

  #mayWait (): boolean {
    return this.#batch.isEmpty && !this.#wait.hasPassed && !this.#context.isDraining()
  }

  get #hasSearched (): boolean {
    return this.#search !== undefined && this.#position > this.#request.offset
  }

  #answer (endOfStream: boolean): ReadBatch {
    return new PollAnswer(this.#batch, this.#lease, this.#context.readers.answers, {
      nextOffset: this.#position,
      endOfStream,
      gap: this.#gap,
      wasHeld: this.#hasWaited,
      isSearchOver: !endOfStream && this.#search?.isOver === true
    })
  }
}
