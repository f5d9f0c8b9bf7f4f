import type { Lease } from '../common/lease.ts'
import type { Position } from '../offset.ts'
import type { StreamEnds } from '../topology/stream-ends.ts'
import type { ReadFilter } from './filter.ts'
import { Follow, type Company } from './follow.ts'
import type { FollowListener } from './live-source.ts'
import type { Polls } from './polls.ts'
import type { Reader } from './reader.ts'
import type { ReaderPool } from './reader-pool.ts'
import { Tail } from './tail.ts'

/** Those who follow streams: what the readers deliver reaches each of them from its own position on. */
export class Follows implements Company {
  readonly #readers: ReaderPool
  readonly #ends: StreamEnds
  readonly #polls: Polls
  readonly #tails = new Map<Reader, Tail>()
  readonly #follows = new Set<Follow>()

  constructor (readers: ReaderPool, ends: StreamEnds, polls: Polls) {
    this.#readers = readers
    this.#ends = ends
    this.#polls = polls
  }

  /**
   * Begins to follow a stream. Close what this returns.
   *
   * @param stream the broker's name
   * @param filter only the messages that it matches; undefined: all
   * @throws StreamsError `offset_out_of_range`, `stream_not_found`, `overloaded`, ...; the signal's reason
   */
  async open (
    stream: string, from: Position, filter: ReadFilter | undefined, listener: FollowListener, signal: AbortSignal
  ): Promise<Follow> {
    this.#readers.refuseWhenFull()
    const offset = await this.#polls.resolve(stream, from)
    const follow = new Follow({ stream, offset, filter, listener, readers: this.#readers, follows: this })
    await follow.begin(from.type !== 'offset', signal)
    this.#follows.add(follow)
    return follow
  }

  /** Takes memory for what is made of messages; undefined when there is no room for it. End the lease. */
  lease (bytes: number): Lease | undefined {
    return this.#readers.answers.take(bytes)
  }

  /** The followers that read by this reader. */
  tailOf (reader: Reader): Tail {
    const known = this.#tails.get(reader)
    if (known !== undefined) return known
    const tail = new Tail(reader, this.#ends)
    this.#tails.set(reader, tail)
    return tail
  }

  /** The tail has ended, and takes no more followers. */
  left (tail: Tail): void {
    if (!tail.isEmpty) return
    tail.close()
    this.#tails.delete(tail.reader)
  }

  forget (follow: Follow): void {
    this.#follows.delete(follow)
  }

  /** This process has deleted the stream: its readers and followers end. */
  drop (stream: string): void {
    this.#readers.drop(stream)
    for (const follow of this.#follows) if (follow.stream === stream) follow.streamDeleted()
  }

  /** Whether anybody follows a stream, perhaps without a reader at the moment. */
  get isInUse (): boolean {
    return this.#follows.size > 0
  }

  /** Counts messages that were delivered. */
  delivered (stream: string, messages: number): void {
    this.#polls.delivered(stream, messages)
  }
}
