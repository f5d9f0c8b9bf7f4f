import { StreamsError } from '../errors.ts'
import { resumeOffset, type Position } from '../offset.ts'
import type { ReaderPool } from '../reading/reader-pool.ts'
import type { Polls } from '../reading/polls.ts'
import type { StreamEnds } from '../topology/stream-ends.ts'
import { consumerKey } from './consumer-key.ts'
import { refuseGoingBack, refuseUnexpected } from './offset-checks.ts'
import type { OffsetStore } from './offset-store.ts'
import { OffsetViews, type OffsetView } from './offset-view.ts'
import { ProcessedZeros } from './processed-zeros.ts'
import { Resets } from './resets.ts'
import { Turns } from './turns.ts'

/** What a store left on the broker. */
export interface Stored {
  /** The last offset processed. Any client may have stored it: any 64 bits. */
  readonly storedOffset: bigint
  /** Where reading resumes. */
  readonly nextOffset: bigint
}

export interface ConsumerOffset extends Stored, OffsetView {
  /** The first offset that is still there. */
  readonly firstOffset: number
  /** The offset of the last message; null when the stream has none. */
  readonly lastOffset: number | null
}

export interface ConsumerOffsetsOptions {
  store: OffsetStore
  ends: StreamEnds
  polls: Polls
  readers: ReaderPool
}

// It is stored for a consumer that has processed message 0, too: see `ProcessedZeros`.
const NOTHING_PROCESSED = 0n
// How long a store waits for others of the same consumer. Each takes a few milliseconds, unless the broker is slow.
const TURN_WAIT_MS = 10_000
// How often a place is stored anew because another gateway has stored a later one at the same moment.
const FIX_ATTEMPTS = 5

/** The offsets that the broker keeps for consumer names. */
export class ConsumerOffsets {
  readonly #options: ConsumerOffsetsOptions
  readonly #processedZeros = new ProcessedZeros()
  readonly #resets = new Resets()
  // Of what looks at the stored offset of a consumer and then stores one.
  readonly #turns = new Turns()

  constructor (options: ConsumerOffsetsOptions) {
    this.#options = options
  }

  /** The stored offset; undefined when nothing is stored. @throws StreamsError `stream_not_found`, ... */
  async find (stream: string, consumer: string): Promise<bigint | undefined> {
    return await this.#options.store.find(stream, consumer)
  }

  /** @throws StreamsError `consumer_offset_not_found` when nothing is stored; `stream_not_found`, ... */
  async describe (stream: string, consumer: string): Promise<ConsumerOffset> {
    const { ends, store } = this.#options
    const storedOffset = await store.query(stream, consumer)
    const [firstOffset, lastOffset] = await Promise.all([ends.firstOffset(stream), ends.lastMessage(stream)])
    const nextOffset = this.nextOffsetOf(stream, consumer, storedOffset)
    const view = await new OffsetViews(stream, ends, lastOffset).of(nextOffset)
    return { storedOffset, nextOffset, firstOffset, lastOffset: lastOffset ?? null, ...view }
  }

  /** Where a consumer with this stored offset resumes. */
  nextOffsetOf (stream: string, consumer: string, storedOffset: bigint): bigint {
    const key = consumerKey(stream, consumer)
    if (storedOffset === 0n) return this.#processedZeros.has(key) ? 1n : 0n
    this.#processedZeros.delete(key) // a consumer that is at 0 again later was reset
    return resumeOffset(storedOffset)
  }

  /**
   * Stores "processed up to and including `offset`". The checks and the store are one step in this process. Another
   * gateway that stores for the same name at the same moment may pass the checks too.
   *
   * @param expected what has to be stored before; null: nothing
   * @throws StreamsError `offset_goes_back`, `offset_beyond_end`, `expectation_failed`, `overloaded`, and what `find`
   *   throws
   */
  async store (stream: string, consumer: string, offset: number, expected?: number | bigint | null): Promise<Stored> {
    return await this.#inTurn(stream, consumer, async () => await this.#store(stream, consumer, offset, expected))
  }

  /**
   * The checks of a store, and what is stored now.
   *
   * @returns `isZeroAsOne`: see `#storeZeroAsOne`; the stored 1 says no more than that message 0 is processed
   * @throws what `store` throws
   */
  async check (
    stream: string, consumer: string, offset: number, expected?: number | bigint | null
  ): Promise<{ readonly current: bigint | undefined, readonly isZeroAsOne: boolean }> {
    const current = await this.find(stream, consumer)
    const isZeroAsOne = current === 1n && (offset === 0 || expected === 0) && await this.#isNoMessage(stream, 1)
    refuseUnexpected(current, isZeroAsOne && expected === 0 ? 1 : expected)
    if (!(isZeroAsOne && offset === 0)) refuseGoingBack(current, offset)
    if (offset >= this.#options.readers.knownEnd(stream)) await this.#refuseBeyondEnd(stream, offset, 'offset')
    return { current, isZeroAsOne }
  }

  async #store (
    stream: string, consumer: string, offset: number, expected: number | bigint | null | undefined
  ): Promise<Stored> {
    const { store } = this.#options
    const { current, isZeroAsOne } = await this.check(stream, consumer, offset, expected)
    const value = BigInt(offset)
    // Another consumer of the name may store a later offset meanwhile.
    const isKept = (stored: bigint): boolean => stored >= value
    let storedOffset: bigint
    // Before it is stored: a reset that comes in between has the last word.
    if (offset === 0) this.#processedZeros.add(consumerKey(stream, consumer))
    // An offset that is stored already takes no record in the stream again.
    if (current !== undefined && (current === value || isZeroAsOne)) {
      storedOffset = await store.confirmKept(stream, consumer, current, isKept)
    } else storedOffset = await store.store(stream, consumer, value, isKept)
    if (storedOffset === 0n) storedOffset = await this.#storeZeroAsOne(stream, consumer, isKept)
    return { storedOffset, nextOffset: this.nextOffsetOf(stream, consumer, storedOffset) }
  }

  /**
   * Stores what makes the position the next one to be delivered.
   *
   * @throws StreamsError `offset_beyond_end`, and what `find` throws
   */
  async reset (stream: string, consumer: string, to: Position): Promise<Stored> {
    const nextOffset = await this.targetOf(stream, to)
    // A commit that has passed its checks is stored before: the reset has the last word.
    return await this.#inTurn(stream, consumer, async () => await this.#resetTo(stream, consumer, nextOffset))
  }

  /** The offset that a reset makes the next one. @throws StreamsError `offset_beyond_end`, `stream_not_found`, ... */
  async targetOf (stream: string, to: Position): Promise<number> {
    await this.checkReset(stream, to)
    return await this.#options.polls.resolve(stream, to)
  }

  /** The checks of a reset. @throws StreamsError `offset_beyond_end`, ... */
  async checkReset (stream: string, to: Position): Promise<void> {
    if (to.type === 'offset') await this.#refuseBeyondEnd(stream, to.offset, 'nextOffset')
  }

  async #resetTo (stream: string, consumer: string, nextOffset: number): Promise<Stored> {
    const key = consumerKey(stream, consumer)
    try {
      const offset = storedFor(nextOffset)
      const isKept = (kept: bigint): boolean => kept === offset
      let storedOffset = await this.#options.store.store(stream, consumer, offset, isKept)
      if (nextOffset === 1) storedOffset = await this.#storeZeroAsOne(stream, consumer, () => true)
      return { storedOffset, nextOffset: resumeOffset(storedOffset) }
    } finally {
      // Also when it is unknown whether it is stored: a read that looks again in vain loses nothing.
      this.#processedZeros.delete(key)
      this.#resets.tell(key)
    }
  }

  /**
   * Stores a place for a consumer that has none, as a reset to the position would: the next read continues there. Of
   * several callers at the same moment the one with the earliest place wins, also when they use several gateways.
   *
   * @returns what is stored now; undefined when the position is beyond the end, and nothing is stored
   * @throws StreamsError what `find` throws
   */
  async fix (stream: string, consumer: string, from: Position, signal: AbortSignal): Promise<bigint | undefined> {
    const turn = await this.#turns.take(consumerKey(stream, consumer), { signal }, async () => {
      // Before the look: what comes after this belongs to the consumer.
      const nextOffset = await this.#options.polls.resolve(stream, from)
      const found = await this.find(stream, consumer)
      if (found !== undefined) return found
      if (from.type === 'offset' && nextOffset > (await this.#options.ends.bounds(stream)).nextOffset) return undefined
      return await this.#storeEarliest(stream, consumer, nextOffset)
    })
    if (turn === undefined) {
      throw new StreamsError('caller_left', 'the caller left, or its credential ended, before its read began')
    }
    return turn.result
  }

  /** Calls the listener when this process has reset the consumer. Returns how to stop that. */
  onReset (stream: string, consumer: string, listener: () => void): () => void {
    return this.#resets.listen(consumerKey(stream, consumer), listener)
  }

  /** The stream is gone. */
  forget (stream: string): void {
    this.#processedZeros.deleteAll(consumerKey(stream, ''))
  }

  async #inTurn<T> (stream: string, consumer: string, work: () => Promise<T>): Promise<T> {
    const turn = await this.#turns.take(consumerKey(stream, consumer), { timeoutMs: TURN_WAIT_MS }, work)
    if (turn !== undefined) return turn.result
    throw new StreamsError('overloaded', 'too many offsets of this consumer are being stored; try again in a moment')
  }

  // Another gateway that has found nothing stored either may store a later place over this one. With the earlier place
  // neither misses anything.
  async #storeEarliest (stream: string, consumer: string, nextOffset: number): Promise<bigint> {
    const offset = storedFor(nextOffset)
    let stored = offset
    for (let attempt = 0; attempt < FIX_ATTEMPTS; attempt++) {
      stored = await this.#options.store.store(stream, consumer, offset, () => true)
      if (stored <= offset) break
      if (nextOffset === 1 && stored === 1n) break // see `#storeZeroAsOne`
    }
    return nextOffset === 1 && stored === 0n ? await this.#storeZeroAsOne(stream, consumer, () => true) : stored
  }

  // A stored 0 is ambiguous: see `ProcessedZeros`. The record of the store itself takes an offset, which is 1 when
  // there is no other message. Then 1 says the same as "0 is processed" and is not ambiguous. A message that was stored
  // at 1 in the meantime is not passed over.
  async #storeZeroAsOne (stream: string, consumer: string, isKept: (stored: bigint) => boolean): Promise<bigint> {
    if (!await this.#isNoMessage(stream, 1)) return 0n
    const storedOffset = await this.#options.store.store(stream, consumer, 1n, isKept)
    this.#processedZeros.delete(consumerKey(stream, consumer))
    return storedOffset
  }

  // Where it cannot be found out, the answer is the careful one: at worst message 0 comes once more.
  async #isNoMessage (stream: string, offset: number): Promise<boolean> {
    return await this.#options.ends.isBrokerRecord(stream, offset).catch(() => false)
  }

  // `offset`: that of a message. `nextOffset`: where to read on, which may be right behind the last one.
  async #refuseBeyondEnd (stream: string, offset: number, kind: 'offset' | 'nextOffset'): Promise<void> {
    const { nextOffset } = await this.#options.ends.bounds(stream)
    if (offset < nextOffset || (kind === 'nextOffset' && offset === nextOffset)) return
    const message = `the stream has no offset ${offset} yet: its next offset is ${nextOffset}`
    throw new StreamsError('offset_beyond_end', message, { details: { nextOffset } })
  }
}

/** What is stored for a consumer that is to continue at `nextOffset`. */
function storedFor (nextOffset: number): bigint {
  return nextOffset === 0 ? NOTHING_PROCESSED : BigInt(nextOffset) - 1n
}
