import { StreamsError } from '../errors.ts'
import type { Position } from '../offset.ts'
import type { ReadBatch } from '../reading/read-batch.ts'
import type { ReadRequest, Polls } from '../reading/polls.ts'
import type { ConsumerOffsets } from './consumer-offsets.ts'
import { DeliveredStores } from './delivered-stores.ts'
import { HeldPoll, type Start } from './held-poll.ts'

export interface ConsumerReadRequest extends ReadRequest {
  /** Stored before reading, with the checks of `ConsumerOffsets.store`. */
  store?: number | undefined
  /** With `store`: refuse unless this is stored before. */
  expected?: number | undefined
}

/** Reads that resume where a consumer left off. */
export class ConsumerPolls {
  readonly #polls: Polls
  readonly #offsets: ConsumerOffsets
  readonly #deliveredStores: DeliveredStores

  constructor (polls: Polls, offsets: ConsumerOffsets) {
    this.#polls = polls
    this.#offsets = offsets
    this.#deliveredStores = new DeliveredStores(offsets)
  }

  /**
   * Reads on from the consumer's stored offset, or from `request.from` when none is stored.
   *
   * @throws StreamsError what `Polls.read` throws and, with `store`, what `ConsumerOffsets.store` throws
   */
  async read (
    stream: string, consumer: string, request: ConsumerReadRequest, signal: AbortSignal
  ): Promise<ReadBatch> {
    await this.#deliveredStores.settled(stream, consumer)
    const { store, expected, ...read } = request
    const look = async (): Promise<Start> => await this.#start(stream, consumer, request.from)
    if (store === undefined) return await this.#readFrom(await look(), look, stream, consumer, read, signal)
    await this.#offsets.store(stream, consumer, store, expected)
    // A caller that says "0 is processed" wants 1, though a stored 0 alone would resume at 0: else a consumer that
    // reads one by one never gets past it.
    const start: Start = { from: { type: 'offset', offset: store + 1 }, stored: BigInt(store) }
    try {
      return await this.#readFrom(start, look, stream, consumer, read, signal)
    } catch (error) {
      throw error instanceof StreamsError ? error.afterSideEffects() : error
    }
  }

  /** See `ConsumersPort.storeDelivered`. */
  storeDelivered (stream: string, consumer: string, offset: number, onFailure: (error: unknown) => void): void {
    this.#deliveredStores.begin(stream, consumer, offset, onFailure)
  }

  async #start (stream: string, consumer: string, fallback: Position): Promise<Start> {
    const stored = await this.#offsets.find(stream, consumer)
    if (stored !== undefined) {
      const offset = Number(this.#offsets.nextOffsetOf(stream, consumer, stored))
      return { stored, from: { type: 'offset', offset } }
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
    if (request.waitMs === 0) {
      return this.#polls.answered(await this.#polls.read(stream, { ...request, from: start.from }, signal))
    }
    const held = new HeldPoll(start, look, request, this.#polls, signal)
    const forget = this.#offsets.onReset(stream, consumer, () => { held.moved() })
    try {
      return this.#polls.answered(await held.toEnd(stream))
    } finally {
      forget()
    }
  }
}
