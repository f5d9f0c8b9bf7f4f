import type { Deadline } from '../common/deadline.ts'
import type { Polls, ReadRequest } from '../reading/polls.ts'
import type { ReadBatch } from '../reading/read-batch.ts'
import type { Place } from './cursor.ts'
import { MergedBatch, type PartitionGap, type Unavailable } from './merged-batch.ts'
import { LATE, PartitionState, SILENT, type StartedPartition } from './partition-state.ts'

/** Where each partition is read from. */
export interface MergedPlan {
  readonly partitions: readonly StartedPartition[]
  /** Of partitions that are not read. */
  readonly otherPlaces: readonly Place[]
  readonly turn: number
  readonly gaps: readonly PartitionGap[]
  /** Partitions of which it is not known where to read. */
  readonly unavailable: readonly Unavailable[]
}

type Amount = Omit<ReadRequest, 'from'>

// Partitions that have more get what others have left over. More rounds than these are not worth their questions to the
// broker.
const MAX_ROUNDS = 3
// A round more for less than this part of what was asked for is not worth it either.
const WORTHWHILE = 1 / 4
// How long partitions that do not answer keep back what others have. A poll outlives a change of the leader, which
// takes longer.
const PATIENCE_MS = 1000
// The same of a read with a filter, which may look at messages for seconds before it has one that matches.
const SEARCH_PATIENCE_MS = 6000
// Of many partitions that have messages an answer has some, each with a share that is worth its question. The others
// come with the next answer.
const MIN_PARTITIONS = 4
const FULL_SHARE = 250

/** How long a round waits for partitions that do not answer. */
interface RoundEnd {
  /** From the first messages of another partition on; `isPart`: from the beginning, others are still to be read. */
  readonly patienceMs: number
  readonly isPart: boolean
  /** What polls end with then. */
  readonly reason: symbol
}

/** One read of several partitions. */
export class MergedRead {
  readonly #superStream: string
  readonly #plan: MergedPlan
  readonly #amount: Amount
  readonly #polls: Polls
  readonly #signal: AbortSignal
  readonly #states: readonly PartitionState[]
  #turn: number
  #count = 0
  #bytes = 0
  #isTrimmed = false
  #wasHeld = false

  constructor (superStream: string, plan: MergedPlan, amount: Amount, polls: Polls, signal: AbortSignal) {
    this.#superStream = superStream
    this.#plan = plan
    this.#amount = amount
    this.#polls = polls
    this.#signal = signal
    this.#states = plan.partitions.map((started) => new PartitionState(started))
    this.#turn = plan.turn % Math.max(1, this.#states.length)
  }

  /** @throws StreamsError when no partition can be read; the signal's reason */
  async toEnd (wait: Deadline): Promise<MergedBatch> {
    try {
      await this.#readWhatIsThere()
      const mayWait = this.#count === 0 && !wait.hasPassed && !this.#isSearchOver && !this.#polls.isDraining
      if (mayWait) await this.#hold(wait)
      const failures = this.#states.flatMap(({ failure }) => failure ?? [])
      if (this.#count === 0 && failures[0] !== undefined && failures.length === this.#states.length) throw failures[0]
      return this.#answer()
    } catch (error) {
      for (const state of this.#states) state.release()
      throw error
    }
  }

  async #readWhatIsThere (): Promise<void> {
    const { limit, maxBytes, search } = this.#amount
    const inTurn = this.#inTurn()
    const first = Math.min(inTurn.length, Math.max(MIN_PARTITIONS, Math.floor(limit / FULL_SHARE)))
    for (let round = 0; round < MAX_ROUNDS && !this.#isTrimmed; round++) {
      const hungry = (round === 0 ? inTurn.slice(0, first) : inTurn).filter((state) => state.mayHaveMore)
      const [messages, bytes] = [limit - this.#count, maxBytes - this.#bytes]
      const isWorthwhile = messages >= limit * WORTHWHILE && bytes >= maxBytes * WORTHWHILE
      if (hungry.length === 0 || !isWorthwhile) break
      if (round === 0) this.#turn = (this.#turn + first) % inTurn.length
      const share = shareOf(messages, bytes, hungry.length)
      await this.#round(hungry, { ...this.#amount, ...share, waitMs: 0 }, {
        patienceMs: search === undefined ? PATIENCE_MS : SEARCH_PATIENCE_MS,
        isPart: hungry.length < inTurn.length,
        reason: LATE
      })
    }
  }

  // Every partition is read at the same time, until the first of them has something.
  async #hold (wait: Deadline): Promise<void> {
    this.#wasHeld = true
    const end = { patienceMs: 0, isPart: false, reason: SILENT }
    await this.#round(this.#inTurn(), { ...this.#amount, waitMs: wait.remainingMs }, end)
  }

  async #round (states: readonly PartitionState[], amount: Amount, end: RoundEnd): Promise<void> {
    const stop = new AbortController()
    const leave = (): void => { stop.abort(this.#signal.reason) }
    const hurry = (): NodeJS.Timeout => setTimeout(() => { stop.abort(end.reason) }, end.patienceMs)
    let patience = end.isPart ? hurry() : undefined
    this.#signal.addEventListener('abort', leave, { once: true })
    const reads = await Promise.all(states.map(async (state) => {
      const batch = await state.read(this.#polls, amount, stop.signal)
      if (batch !== undefined && (batch.count > 0 || batch.isSearchOver)) patience ??= hurry()
      return batch
    }))
    clearTimeout(patience)
    this.#signal.removeEventListener('abort', leave)
    for (const [index, state] of states.entries()) {
      const batch = reads[index]
      if (batch !== undefined) this.#take(state, batch)
    }
    this.#signal.throwIfAborted()
  }

  // What has no room is left for the next read, which begins with that partition.
  #take (state: PartitionState, batch: ReadBatch): void {
    const isTooMuch = this.#count > 0 && batch.count > 0 &&
      (this.#count + batch.count > this.#amount.limit || this.#bytes + batch.storedBytes > this.#amount.maxBytes)
    if (isTooMuch) {
      if (!this.#isTrimmed) this.#turn = this.#states.indexOf(state)
      this.#isTrimmed = true
      state.leave(batch)
      return
    }
    this.#count += batch.count
    this.#bytes += batch.storedBytes
    state.take(batch)
  }

  #inTurn (): PartitionState[] {
    return [...this.#states.slice(this.#turn), ...this.#states.slice(0, this.#turn)]
  }

  get #isSearchOver (): boolean {
    return this.#states.some(({ isSearchOver }) => isSearchOver)
  }

  #answer (): MergedBatch {
    return new MergedBatch({
      superStream: this.#superStream,
      reads: this.#states.map((state) => state.result),
      otherPlaces: this.#plan.otherPlaces,
      turn: this.#turn,
      gaps: [...this.#plan.gaps, ...this.#states.flatMap(({ gaps }) => gaps)],
      unavailable: [...this.#plan.unavailable, ...this.#states.flatMap(({ unavailable }) => unavailable)],
      endOfStream: this.#plan.unavailable.length === 0 && this.#states.every(({ isAtEnd }) => isAtEnd),
      wasHeld: this.#wasHeld,
      isSearchOver: this.#isSearchOver
    })
  }
}

// A share of each partition: at least one message, so that no partition is passed over for ever.
function shareOf (messages: number, bytes: number, partitions: number): Pick<Amount, 'limit' | 'maxBytes'> {
  return {
    limit: Math.max(1, Math.floor(messages / partitions)),
    maxBytes: Math.max(1, Math.floor(bytes / partitions))
  }
}
