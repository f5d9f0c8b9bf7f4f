import { classify } from '../classify.ts'
import { Deadline } from '../common/deadline.ts'
import { consumerKey } from '../consuming/consumer-key.ts'
import type { ConsumerOffsets } from '../consuming/consumer-offsets.ts'
import { consumerStart, type Start } from '../consuming/consumer-start.ts'
import { HeldPoll } from '../consuming/held-poll.ts'
import { Turns } from '../consuming/turns.ts'
import { StreamsError } from '../errors.ts'
import type { Position } from '../offset.ts'
import type { ReadRequest } from '../reading/polls.ts'
import { decodeCursor } from './cursor.ts'
import type { MergedBatch, Unavailable } from './merged-batch.ts'
import { failuresOf, type MergedOffsets, type PartitionCommit } from './merged-offsets.ts'
import type { MergedPolls } from './merged-polls.ts'
import { chosen, type Partition, type SuperStream } from './partitions.ts'

/** As `ReadRequest`, for all partitions together. */
export interface MergedConsumerRequest extends ReadRequest {
  /** The API's names of the partitions to read; undefined: all. */
  readonly partitions?: readonly string[] | undefined
  /** A cursor up to which all messages of these partitions are processed. It is stored before reading. */
  readonly commit?: string | undefined
  /** Given: what is answered is stored as processed before it is returned. Makes the answer. */
  readonly prepare?: ((batch: MergedBatch) => Promise<void>) | undefined
}

/** Where a consumer is in the partitions that can be asked. */
interface Whereabouts {
  readonly starts: ReadonlyArray<{ readonly partition: Partition, readonly start: Start, readonly offset: number }>
  readonly unavailable: readonly Unavailable[]
}

/** A read of a consumer. */
interface Poll {
  readonly superStream: SuperStream
  readonly partitions: readonly Partition[]
  readonly consumer: string
  readonly from: Position
  readonly amount: Omit<ReadRequest, 'from'>
  readonly signal: AbortSignal
}

export interface MergedConsumerPollsOptions {
  polls: MergedPolls
  offsets: ConsumerOffsets
  mergedOffsets: MergedOffsets
}

// How long a read waits for its turn, unless it waits for data longer anyway.
const TURN_WAIT_MS = 10_000

/** Reads of super streams that resume in every partition where a consumer left off. */
export class MergedConsumerPolls {
  readonly #options: MergedConsumerPollsOptions
  readonly #turns = new Turns()
  // Reads of a few messages begin with another partition each time.
  #reads = 0

  constructor (options: MergedConsumerPollsOptions) {
    this.#options = options
  }

  /**
   * Reads on from the consumer's stored offsets. In a partition without one, `request.from` becomes its place: unless
   * it is `first`, it is stored before anything else.
   *
   * @throws StreamsError what `MergedPolls.read` throws and, when it stores something, what `MergedOffsets.store`
   *   throws
   */
  async read (
    superStream: SuperStream, consumer: string, request: MergedConsumerRequest, signal: AbortSignal
  ): Promise<MergedBatch> {
    const { from, partitions, commit, prepare, ...amount } = request
    const poll = { superStream, partitions: chosen(superStream, partitions), consumer, from, amount, signal }
    if (commit !== undefined) await this.#commit(poll, commit)
    try {
      return this.#options.polls.answered(
        prepare === undefined ? await this.#held(poll, await this.#look(poll)) : await this.#stored(poll, prepare)
      )
    } catch (error) {
      if (commit === undefined) throw error
      if (error instanceof StreamsError) throw error.afterSideEffects()
      if (!signal.aborted) throw error
      const message = 'the caller left, or its credential ended, after the offsets were stored'
      throw new StreamsError('caller_left', message, { sideEffects: 'possible', cause: error })
    }
  }

  // A partition that is gone has nothing to be stored.
  async #commit ({ superStream: { name }, partitions, consumer }: Poll, cursor: string): Promise<void> {
    const places = new Map(decodeCursor(name, cursor).places.map(({ key, nextOffset }) => [key, nextOffset]))
    if (!partitions.some(({ key }) => places.has(key))) {
      throw new StreamsError('cursor_invalid', 'the cursor to commit is of other partitions than those that are read')
    }
    const commits = partitions.flatMap((partition): PartitionCommit[] => {
      const nextOffset = places.get(partition.key) ?? 0
      return nextOffset === 0 ? [] : [{ partition, offset: nextOffset - 1 }]
    })
    await this.#storeAll(commits, consumer)
  }

  async #storeAll (commits: readonly PartitionCommit[], consumer: string): Promise<void> {
    const [failure] = failuresOf(await this.#options.mergedOffsets.store(commits, consumer))
    if (failure !== undefined) throw failure.afterSideEffects()
  }

  // A partition that cannot be asked is left out, unless no partition can.
  async #look ({ partitions, consumer, from, signal }: Poll): Promise<Whereabouts> {
    const { offsets } = this.#options
    const unavailable: Unavailable[] = []
    const starts = await Promise.all(partitions.map(async (partition) => {
      try {
        const start = await consumerStart(offsets, partition.stream, consumer, from, signal)
        const offset = start.from.type === 'offset' ? start.from.offset : start.resumesAt
        return [{ partition, start, offset }]
      } catch (error) {
        signal.throwIfAborted()
        unavailable.push({ partition: partition.name, error: classify(error).inPartition(partition.name) })
        return []
      }
    }))
    const [first] = unavailable
    if (first !== undefined && unavailable.length === partitions.length) throw first.error
    return { starts: starts.flat(), unavailable }
  }

  async #readFrom (
    { superStream, amount }: Poll, { starts, unavailable }: Whereabouts, waitMs: number, signal: AbortSignal
  ): Promise<MergedBatch> {
    const plan = { partitions: starts, otherPlaces: [], turn: this.#reads++, gaps: [], unavailable }
    return await this.#options.polls.readFrom(superStream, plan, { ...amount, waitMs }, signal)
  }

  async #held (poll: Poll, where: Whereabouts): Promise<MergedBatch> {
    const { partitions, consumer, amount: { waitMs }, signal } = poll
    if (waitMs === 0) return await this.#readFrom(poll, where, 0, signal)
    const held = new HeldPoll<Whereabouts, MergedBatch>(where, {
      waitMs,
      look: async () => await this.#look(poll),
      read: async (from, waitMs, signal) => await this.#readFrom(poll, from, waitMs, signal),
      isElsewhere,
      after,
      isDraining: () => this.#options.polls.isDraining
    }, signal)
    const forget = partitions.map(({ stream }) =>
      this.#options.offsets.onReset(stream, consumer, () => { held.moved() }))
    try {
      return await held.toEnd()
    } finally {
      for (const stop of forget) stop()
    }
  }

  // As `AutoStores`: reads of one consumer take turns from the look to the store.
  async #stored (poll: Poll, prepare: (batch: MergedBatch) => Promise<void>): Promise<MergedBatch> {
    const { amount: { waitMs, search } } = poll
    const wait = new Deadline(waitMs)
    const turns = new Deadline(Math.max(waitMs, TURN_WAIT_MS))
    for (;;) {
      const claimed = await this.#claimInTurn(poll, prepare, turns)
      if (claimed === undefined) continue
      const { batch, where } = claimed
      const isAnswer = batch.count > 0 || batch.isSearchOver || wait.hasPassed || this.#options.polls.isDraining
      if (isAnswer) return batch
      batch.release()
      const amount = { limit: 1, maxBytes: 1, waitMs: wait.remainingMs, search }
      const arrived = await this.#held({ ...poll, amount }, where)
      if (arrived.count === 0) return arrived
      arrived.release() // it is read again in a turn
    }
  }

  async #claimInTurn (
    poll: Poll, prepare: (batch: MergedBatch) => Promise<void>, turns: Deadline
  ): Promise<Claim | undefined> {
    const { superStream, consumer, signal } = poll
    const bounds = { timeoutMs: turns.remainingMs, signal }
    const key = consumerKey(superStream.name, consumer)
    const turn = await this.#turns.take(key, bounds, async () => await this.#claim(poll, prepare))
    if (turn?.result !== undefined) return turn.result
    signal.throwIfAborted()
    if (!turns.hasPassed) return undefined
    throw new StreamsError('overloaded', 'too many reads of this consumer take turns; try again in a moment')
  }

  // Undefined when the consumer was moved in between.
  async #claim (poll: Poll, prepare: (batch: MergedBatch) => Promise<void>): Promise<Claim | undefined> {
    const where = await this.#look(poll)
    const batch = await this.#readFrom(poll, where, 0, poll.signal)
    try {
      if (batch.count > 0) await prepare(batch)
      poll.signal.throwIfAborted() // what is stored for a caller that has left is lost
      await this.#storeAll(commitsOf(batch, where), poll.consumer)
      return { batch, where: after(where, batch) }
    } catch (error) {
      batch.release()
      if (isMoved(error)) return undefined
      throw error
    }
  }
}

interface Claim { readonly batch: MergedBatch, readonly where: Whereabouts }

function commitsOf ({ places }: MergedBatch, { starts }: Whereabouts): PartitionCommit[] {
  const reached = new Map(places.map(({ partition, nextOffset }) => [partition, nextOffset]))
  return starts.flatMap(({ partition, start }): PartitionCommit[] => {
    const nextOffset = reached.get(partition.name) ?? 0
    if (nextOffset <= start.resumesAt) return []
    return [{ partition, offset: nextOffset - 1, expected: start.stored ?? null }]
  })
}

function isElsewhere (before: Whereabouts, now: Whereabouts): boolean {
  const stored = new Map(before.starts.map(({ partition, start }) => [partition.name, start.stored]))
  return now.starts.some(({ partition, start }) =>
    stored.has(partition.name) && stored.get(partition.name) !== start.stored)
}

// A read that begins with gaps has to say so again.
function after (where: Whereabouts, { places, gaps }: MergedBatch): Whereabouts {
  if (gaps.length > 0) return where
  const reached = new Map(places.map(({ partition, nextOffset }) => [partition, nextOffset]))
  const starts = where.starts.map((start) => ({ ...start, offset: reached.get(start.partition.name) ?? start.offset }))
  return { ...where, starts }
}

// Nothing of it is stored then: the checks come first.
function isMoved (error: unknown): boolean {
  return error instanceof StreamsError && error.sideEffects === 'none' &&
    (error.code === 'expectation_failed' || error.code === 'offset_goes_back')
}
