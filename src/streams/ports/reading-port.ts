import type { Position } from '../offset.ts'
import type { ReadFilter } from '../reading/filter.ts'
import type { FollowListener, LiveSource } from '../reading/live-source.ts'
import type { Follows } from '../reading/follows.ts'
import type { ReadBatch } from '../reading/read-batch.ts'
import type { ReadMessage } from '../reading/read-pieces.ts'
import type { Polls, ReadRequest } from '../reading/polls.ts'
import type { StreamNames } from '../topology/stream-names.ts'

export interface ReadingPortOptions {
  names: StreamNames
  polls: Polls
  follows: Follows
}

/** Reads from any position of a stream, without a consumer. Names are the API's. */
export class ReadingPort {
  readonly #options: ReadingPortOptions

  constructor (options: ReadingPortOptions) {
    this.#options = options
  }

  /**
   * Reads a batch. Give its memory back with `release`.
   *
   * @param signal aborts when the caller has gone away
   * @throws StreamsError `offset_out_of_range`, `stream_not_found`, `overloaded`, ...; the signal's reason
   */
  async read (stream: string, request: ReadRequest, signal: AbortSignal): Promise<ReadBatch> {
    const { names, polls } = this.#options
    const name = names.toBroker(stream)
    return polls.answered(name, await polls.read(name, request, signal))
  }

  /**
   * The message at exactly this offset, and the batch that holds it alone. Give the memory back with `release`.
   *
   * @throws StreamsError `message_not_found`, and what `read` throws
   */
  async readMessage (
    stream: string, offset: number, signal: AbortSignal
  ): Promise<{ message: ReadMessage, batch: ReadBatch }> {
    const { names, polls } = this.#options
    const name = names.toBroker(stream)
    const found = await polls.message(name, offset, signal)
    polls.answered(name, found.batch)
    return found
  }

  /**
   * Follows a stream from a position on. Close what this returns.
   *
   * @param filter only the messages that it matches; undefined: all
   * @throws StreamsError `offset_out_of_range`, `stream_not_found`, `overloaded`, ...; the signal's reason
   */
  async follow (
    stream: string, from: Position, filter: ReadFilter | undefined, listener: FollowListener, signal: AbortSignal
  ): Promise<LiveSource> {
    const { names, follows } = this.#options
    return await follows.open(names.toBroker(stream), from, filter, listener, signal)
  }
}
