import { StreamsError } from '../errors.ts'
import type { ReadBatch } from '../reading/read-batch.ts'
import type { ReadRequest, Polls } from '../reading/polls.ts'
import { AutoStores, type AutoStore } from './auto-store.ts'
import { stored, uncommitted, type ConsumerBatch } from './commit-offset.ts'
import type { ConsumerOffsets } from './consumer-offsets.ts'
import { consumerStart, type Start } from './consumer-start.ts'
import { HeldPoll } from './held-poll.ts'

export interface ConsumerReadRequest extends ReadRequest {
  /** Stored before reading, with the checks of `ConsumerOffsets.store`. */
  store?: number | undefined
  /** With `store`: refuse unless this is stored before. */
  expected?: number | undefined
  /** Given: what is answered is stored as processed before it is returned. */
  autoStore?: AutoStore | undefined
}

/** Reads that resume where a consumer left off. */
export class ConsumerPolls {
  readonly #polls: Polls
  readonly #offsets: ConsumerOffsets
  readonly #autoStores: AutoStores

  constructor (polls: Polls, offsets: ConsumerOffsets) {
    this.#polls = polls
    this.#offsets = offsets
    this.#autoStores = new AutoStores(polls, offsets)
  }

  /**
   * Reads on from the consumer's stored offset. When none is stored, `request.from` becomes its place: unless it is
   * `first`, it is stored before anything else, so that a later read continues there.
   *
   * @throws StreamsError what `Polls.read` throws and, when something is stored, what `ConsumerOffsets.store` throws
   */
  async read (
    stream: string, consumer: string, request: ConsumerReadRequest, signal: AbortSignal
  ): Promise<ConsumerBatch> {
    const { store, expected, autoStore, ...read } = request
    if (store === undefined) return await this.#read(stream, consumer, read, autoStore, signal)
    const { storedOffset, nextOffset } = await this.#offsets.store(stream, consumer, store, expected)
    // A caller that says "0 is processed" wants 1, though a stored 0 alone would resume at 0: else a consumer that
    // reads one by one never gets past it.
    const resumesAt = Math.max(store + 1, Number(nextOffset))
    const start: Start = { from: { type: 'offset', offset: resumesAt }, resumesAt, stored: storedOffset }
    try {
      return await this.#read(stream, consumer, read, autoStore, signal, start)
    } catch (error) {
      if (error instanceof StreamsError) throw error.afterSideEffects()
      throw signal.aborted ? leftAfterStore(error) : error
    }
  }

  async #read (
    stream: string,
    consumer: string,
    request: ReadRequest,
    autoStore: AutoStore | undefined,
    signal: AbortSignal,
    known?: Start
  ): Promise<ConsumerBatch> {
    const look = async (): Promise<Start> =>
      await consumerStart(this.#offsets, stream, consumer, request.from, signal)
    if (autoStore !== undefined) {
      const hold = async (start: Start, held: ReadRequest): Promise<ReadBatch> =>
        (await this.#held(start, look, stream, consumer, held, signal)).batch
      const batch = await this.#autoStores.read({ stream, consumer, request, autoStore, look, hold, signal })
      return stored(this.#polls.answered(stream, batch))
    }
    const { batch, start } = await this.#held(known ?? await look(), look, stream, consumer, request, signal)
    return uncommitted(this.#polls.answered(stream, batch), start)
  }

  // The batch, and where it was read from in the end.
  async #held (
    start: Start,
    look: () => Promise<Start>,
    stream: string,
    consumer: string,
    request: ReadRequest,
    signal: AbortSignal
  ): Promise<{ batch: ReadBatch, start: Start }> {
    if (request.waitMs === 0) {
      return { batch: await this.#polls.read(stream, { ...request, from: start.from }, signal), start }
    }
    const held = new HeldPoll<Start, ReadBatch>(start, {
      waitMs: request.waitMs,
      look,
      read: async ({ from }, waitMs, signal) => await this.#polls.read(stream, { ...request, from, waitMs }, signal),
      isElsewhere: (before, now) => before.stored !== now.stored,
      // A read that begins with a gap has to say so again.
      after: (start, { gap, nextOffset }) =>
        gap === undefined ? { ...start, from: { type: 'offset', offset: nextOffset } } : start,
      isDraining: () => this.#polls.isDraining
    }, signal)
    const forget = this.#offsets.onReset(stream, consumer, () => { held.moved() })
    try {
      const batch = await held.toEnd()
      return { batch, start: held.start }
    } finally {
      forget()
    }
  }
}

// What a signal aborts with says nothing of the offset that was stored before.
function leftAfterStore (cause: unknown): StreamsError {
  const message = 'the caller left, or its credential ended, after the offset was stored'
  return new StreamsError('caller_left', message, { sideEffects: 'possible', cause })
}
