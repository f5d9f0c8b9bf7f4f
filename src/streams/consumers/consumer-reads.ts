import { Deadline } from '../deadline.ts'
import { StreamsError } from '../errors.ts'
import { resumeOffset, type Position } from '../offset.ts'
import type { ReadBatch } from '../readers/read-batch.ts'
import type { ReadRequest, Reads } from '../readers/reads.ts'
import type { ConsumerOffsets } from './consumer-offsets.ts'

export interface ConsumerReadRequest extends ReadRequest {
  /** Stored before reading, with the checks of `ConsumerOffsets.commit`. */
  commit?: number | undefined
  /** With `commit`: refuse unless this is stored before. */
  expected?: number | undefined
}

// How long a read that is held may overlook that its consumer was reset through another gateway.
const RECHECK_MS = 5000
// In place of an error: the read begins anew.
const MOVED = Symbol('the consumer was reset')

/** Where a read begins, and what is stored as long as that is right. */
interface Start { readonly from: Position, readonly stored: bigint | undefined }

/**
 * Reads that resume where a consumer left off. A read that is held for data answers from where its consumer is when it answers, not when it was asked:
 * a reset in between would else be undone by the commit of what was read.
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
    if (commit === undefined) return await this.#readFrom(await this.#start(stream, consumer, request.from), stream, consumer, read, signal)
    await this.#offsets.commit(stream, consumer, commit, expected)
    // Who says "0 is processed" wants 1, though a stored 0 alone would resume at 0: else a consumer that reads one by one never gets past it.
    const start: Start = { from: { type: 'offset', offset: commit + 1 }, stored: BigInt(commit) }
    try {
      return await this.#readFrom(start, stream, consumer, read, signal)
    } catch (error) {
      throw error instanceof StreamsError ? error.afterSideEffects() : error
    }
  }

  async #start (stream: string, consumer: string, fallback: Position): Promise<Start> {
    const stored = await this.#offsets.find(stream, consumer)
    return { stored, from: stored === undefined ? fallback : { type: 'offset', offset: Number(resumeOffset(stored)) } }
  }

  // Held in slices, after each of which the stored offset is looked at again.
  async #readFrom (start: Start, stream: string, consumer: string, request: ReadRequest, signal: AbortSignal): Promise<ReadBatch> {
    const wait = new Deadline(request.waitMs)
    let { from, stored } = start
    for (;;) {
      const batch = await this.#slice(stream, consumer, { ...request, from, waitMs: Math.min(wait.remainingMs, RECHECK_MS) }, signal)
      if (batch !== MOVED && !batch.wasHeld) return batch
      const now = await this.#lookAgain(stream, consumer, request.from, batch)
      if (now.stored !== stored || batch === MOVED) {
        ({ from, stored } = now)
      } else {
        if (batch.count > 0 || wait.hasPassed || this.#reads.isDraining) return batch
        // A position is looked up once, so that nothing is missed between two slices; what begins with a gap has to say so again.
        if (batch.gap === undefined) from = { type: 'offset', offset: batch.nextOffset }
      }
      if (batch !== MOVED) batch.release()
    }
  }

  async #lookAgain (stream: string, consumer: string, fallback: Position, batch: ReadBatch | typeof MOVED): Promise<Start> {
    try {
      return await this.#start(stream, consumer, fallback)
    } catch (error) {
      if (batch !== MOVED) batch.release()
      throw error
    }
  }

  async #slice (stream: string, consumer: string, request: ReadRequest, signal: AbortSignal): Promise<ReadBatch | typeof MOVED> {
    if (request.waitMs === 0) return await this.#reads.read(stream, request, signal)
    const slice = new AbortController()
    const leave = (): void => { slice.abort(signal.reason) }
    const forget = this.#offsets.onReset(stream, consumer, () => { slice.abort(MOVED) })
    signal.addEventListener('abort', leave)
    if (signal.aborted) leave()
    try {
      return await this.#reads.read(stream, request, slice.signal)
    } catch (error) {
      if (error === MOVED) return MOVED
      throw error
    } finally {
      forget()
      signal.removeEventListener('abort', leave)
    }
  }
}
