import type { Traffic } from '../common/traffic.ts'
import { StreamsError } from '../errors.ts'
import type { Position } from '../offset.ts'
import type { StreamEnds } from '../topology/stream-ends.ts'
import { poll } from './poll.ts'
import type { ReadBatch } from './read-batch.ts'
import type { ReadMessage } from './read-pieces.ts'
import type { ReaderPool } from './reader-pool.ts'
import type { Search } from './search.ts'

export interface ReadRequest {
  from: Position
  /** At most this many messages, at least 1. */
  limit: number
  /** Bytes as stored; at least one message is returned, however large. */
  maxBytes: number
  /** How long to hold an empty answer, ms. */
  waitMs: number
  /** Given: only the messages that its filter matches. */
  search?: Search | undefined
}

const ONE_MESSAGE = { limit: 1, maxBytes: 1, waitMs: 0 } as const

/** Reads from any position of a stream. Names are the broker's. */
export class Polls {
  readonly #readers: ReaderPool
  readonly #ends: StreamEnds
  readonly #traffic: Traffic
  #isDraining = false
  #messagesAnswered = 0

  constructor (readers: ReaderPool, ends: StreamEnds, traffic: Traffic) {
    this.#readers = readers
    this.#ends = ends
    this.#traffic = traffic
  }

  get isDraining (): boolean {
    return this.#isDraining
  }

  /** Messages in the answers so far. */
  get messagesAnswered (): number {
    return this.#messagesAnswered
  }

  /** Counts a batch that answers a request, and returns it: a held read may drop some before that. */
  answered (stream: string, batch: ReadBatch): ReadBatch {
    this.delivered(stream, batch.count)
    return batch
  }

  /** Counts messages that reached a reader. */
  delivered (stream: string, messages: number): void {
    this.#messagesAnswered += messages
    this.#traffic.read(stream, messages)
  }

  /** From now on reads no longer wait for data. */
  drain (): void {
    this.#isDraining = true
    this.#readers.wakeAll()
  }

  /**
   * Reads a batch. Give its memory back with `release`.
   *
   * @param signal aborts when the caller has gone away
   * @throws StreamsError `offset_out_of_range`, `stream_not_found`, `overloaded`, ...; the signal's reason
   */
  async read (stream: string, { from, ...amount }: ReadRequest, signal: AbortSignal): Promise<ReadBatch> {
    this.#readers.refuseWhenFull()
    const offset = await this.resolve(stream, from)
    const isReachable = from.type !== 'offset'
    return await poll(
      { stream, offset, isReachable, ...amount },
      { readers: this.#readers, ends: this.#ends, isDraining: () => this.#isDraining },
      signal
    )
  }

  /**
   * The message at exactly this offset, and the batch that holds it alone. Give its memory back with `release`.
   *
   * @throws StreamsError `message_not_found`, and what `read` throws
   */
  async message (
    stream: string,
    offset: number,
    signal: AbortSignal
  ): Promise<{ message: ReadMessage, batch: ReadBatch }> {
    let batch: ReadBatch | undefined
    try {
      batch = await this.read(stream, { from: { type: 'offset', offset }, ...ONE_MESSAGE }, signal)
    } catch (error) {
      if (!(error instanceof StreamsError && error.code === 'offset_out_of_range')) throw error
    }
    const message = batch?.messages[0]
    if (batch !== undefined && message?.offset === offset) return { message, batch }
    batch?.release()
    throw new StreamsError('message_not_found', `there is no message at offset ${offset}`)
  }

  /**
   * The offset that a position stands for now. A read always starts from a number: a caller that follows `nextOffset`
   * from there misses nothing.
   *
   * @throws StreamsError `stream_not_found`, ...
   */
  async resolve (stream: string, position: Position): Promise<number> {
    switch (position.type) {
      case 'offset':
        return position.offset
      case 'first':
        return await this.#ends.firstOffset(stream)
      case 'next':
        return (await this.#ends.bounds(stream)).nextOffset
      case 'last':
        return (await this.#ends.lastMessage(stream)) ?? (await this.resolve(stream, { type: 'next' }))
      case 'timestamp':
        return (
          (await this.#ends.firstSince(stream, position.timestamp)) ?? (await this.resolve(stream, { type: 'next' }))
        )
    }
  }
}
