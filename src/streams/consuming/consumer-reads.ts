import { Backoff, Deadline, pause } from '../common/deadline.ts'
import { StreamsError } from '../errors.ts'
import type { Position } from '../offset.ts'
import type { ReadBatch } from '../reading/read-batch.ts'
import type { ReadRequest, Reads } from '../reading/reads.ts'
import type { ConsumerOffsets } from './consumer-offsets.ts'

export interface ConsumerReadRequest extends ReadRequest {
  /** Stored before reading, with the checks of `ConsumerOffsets.commit`. */
  commit?: number | undefined
  /** With `commit`: refuse unless this is stored before. */
  expected?: number | undefined
}

// How long a read that is held may overlook that its consumer was reset through another gateway. Each look is a
// question to the broker.
const RECHECK_MS = 5000
// Between attempts to look while the broker cannot be reached.
const FIRST_PAUSE_MS = 50
const MAX_PAUSE_MS = 1000
// In place of an error: the read begins anew.
const MOVED = Symbol('the consumer was reset')

/** Where a read begins, and what is stored as long as that is right. */
interface Start { readonly from: Position, readonly stored: bigint | undefined }

/**
 * Reads that resume where a consumer left off. A read that is held for data answers from where its consumer is when it
 * answers, not when it was asked: a reset in between would else be undone by the commit of what was read.
 */
export class ConsumerReads {
  readonly #reads: Reads
  readonly #offsets: ConsumerOffsets

  constructor (reads: Reads, offsets: ConsumerOffsets) {
    this.#reads = reads
    this.#offsets = offsets
  }

  /**
   * Reads on from where the consumer's stored offset says, or from `request.from` when it has none.
   *
   * @throws StreamsError as `Reads.read` and, with `commit`, as `ConsumerOffsets.commit`
   */
  async read (stream: string, consumer: string, request: ConsumerReadRequest, signal: AbortSignal): Promise<ReadBatch> {
    const { commit, expected, ...read } = request
    const look = async (): Promise<Start> => await this.#start(stream, consumer, request.from)
    if (commit === undefined) return await this.#readFrom(await look(), look, stream, consumer, read, signal)
    await this.#offsets.commit(stream, consumer, commit, expected)
    // Who says "0 is processed" wants 1, though a stored 0 alone would resume at 0: else a consumer that reads one by
    // one never gets past it.
    const start: Start = { from: { type: 'offset', offset: commit + 1 }, stored: BigInt(commit) }
    try {
      return await this.#readFrom(start, look, stream, consumer, read, signal)
    } catch (error) {
      throw error instanceof StreamsError ? error.afterSideEffects() : error
    }
  }

  async #start (stream: string, consumer: string, fallback: Position): Promise<Start> {
    const stored = await this.#offsets.find(stream, consumer)
    if (stored !== undefined) {
      return { stored, from: { type: 'offset', offset: Number(this.#offsets.nextOffsetOf(stream, consumer, stored)) } }
    }
    // From 0, and not from what is there now: the broker forgets the offset of a consumer that retention has overtaken,
    // which then looks like a new one. What it has missed is a gap.
    return { stored, from: fallback.type === 'first' ? { type: 'offset', offset: 0 } : fallback }
  }

  async #readFrom (
    start: Start,
    look: () => Promise<Start>,
    stream: string,
    consumer: string,
    request: ReadRequest,
    signal: AbortSignal
  ): Promise<ReadBatch> {
    if (request.waitMs === 0) return await this.#reads.read(stream, { ...request, from: start.from }, signal)
    const held = new HeldRead(start, look, request, this.#reads, signal)
    const forget = this.#offsets.onReset(stream, consumer, () => { held.moved() })
    const leave = (): void => { held.leave() }
    signal.addEventListener('abort', leave)
    try {
      return await held.toEnd(stream)
    } finally {
      forget()
      signal.removeEventListener('abort', leave)
    }
  }
}

/** A read in slices, after each of which the stored offset is looked at again. */
class HeldRead {
  readonly #look: () => Promise<Start>
  readonly #request: ReadRequest
  readonly #reads: Reads
  readonly #signal: AbortSignal
  readonly #wait: Deadline
  readonly #backoff = new Backoff(FIRST_PAUSE_MS, MAX_PAUSE_MS)
  #start: Start
  #slice = new AbortController()
  #hasBegun = false
  // The consumer was, or may have been, reset since the last look.
  #isMoved = false
  #mustLook = false

  constructor (start: Start, look: () => Promise<Start>, request: ReadRequest, reads: Reads, signal: AbortSignal) {
    this.#start = start
    this.#look = look
    this.#request = request
    this.#reads = reads
    this.#signal = signal
    this.#wait = new Deadline(request.waitMs)
  }

  /** The consumer was reset through this process. */
  moved (): void {
    this.#isMoved = true
    this.#slice.abort(MOVED)
  }

  leave (): void {
    this.#slice.abort(this.#signal.reason)
  }

  async toEnd (stream: string): Promise<ReadBatch> {
    for (;;) {
      let batch: ReadBatch | undefined
      try {
        if (this.#isMoved || this.#mustLook) await this.#lookAgain()
        batch = await this.#readSlice(stream)
        if (batch !== undefined && await this.#isAnswer(batch)) return batch
        batch?.release()
      } catch (error) {
        batch?.release()
        await this.#outlive(error)
      }
    }
  }

  // Undefined when the consumer was moved meanwhile.
  async #readSlice (stream: string): Promise<ReadBatch | undefined> {
    this.#slice = new AbortController()
    this.#signal.throwIfAborted()
    const waitMs = Math.min(this.#wait.remainingMs, RECHECK_MS)
    try {
      const batch = await this.#reads.read(
        stream,
        { ...this.#request, from: this.#start.from, waitMs },
        this.#slice.signal
      )
      this.#hasBegun = true
      return batch
    } catch (error) {
      if (error === MOVED) return undefined
      throw error
    }
  }

  async #isAnswer (batch: ReadBatch): Promise<boolean> {
    const isOld = batch.wasHeld && await this.#lookAgain()
    if (isOld || this.#isMoved) return false
    if (batch.count > 0 || this.#wait.hasPassed || this.#reads.isDraining || !batch.wasHeld) return true
    // A position is looked up once, so that nothing is missed between two slices; what begins with a gap has to say so
    // again.
    if (batch.gap === undefined) this.#start = { ...this.#start, from: { type: 'offset', offset: batch.nextOffset } }
    return false
  }

  // Whether the consumer is somewhere else than where was read from.
  async #lookAgain (): Promise<boolean> {
    const wasMoved = this.#isMoved
    this.#isMoved = false
    this.#mustLook = true // until it is done
    const now = await this.#look()
    this.#mustLook = false
    if (!wasMoved && now.stored === this.#start.stored) return false
    this.#start = now
    return true
  }

  // A broker that is away for a while, or a moment without room, does not end what has begun to wait.
  async #outlive (error: unknown): Promise<void> {
    const isPassing =
      error instanceof StreamsError && error.retryable && (this.#hasBegun || error.code !== 'overloaded')
    if (!isPassing || this.#wait.hasPassed || this.#reads.isDraining) throw error
    this.#mustLook = true
    await pause(Math.min(this.#backoff.nextMs(), this.#wait.remainingMs), this.#signal)
  }
}
