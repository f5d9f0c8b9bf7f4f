import type { Deadline } from '../common/deadline.ts'
import { pause } from '../common/wait.ts'
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
const PATIENCE_MS = 500

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
    const { limit, maxBytes } = this.#amount
    for (let round = 0; round < MAX_ROUNDS && !this.#isTrimmed; round++) {
      const hungry = this.#inTurn().filter((state) => state.mayHaveMore)
      const [messages, bytes] = [limit - this.#count, maxBytes - this.#bytes]
      const isWorthwhile = messages >= limit * WORTHWHILE && bytes >= maxBytes * WORTHWHILE
      if (hungry.length === 0 || !isWorthwhile) return
      const share = shareOf(messages, bytes, hungry.length)
      await this.#round(hungry, { ...this.#amount, ...share, waitMs: 0 }, { patienceMs: PATIENCE_MS, reason: LATE })
    }
  }

  // Every partition is read at the same time, until the first of them has something.
  async #hold (wait: Deadline): Promise<void> {
    this.#wasHeld = true
    await this.#round(this.#inTurn(), { ...this.#amount, waitMs: wait.remainingMs }, { patienceMs: 0, reason: SILENT })
  }

  /** @param end how long the others are waited for, once one has messages, and what their polls end with then */
  async #round (
    states: readonly PartitionState[], amount: Amount, end: { readonly patienceMs: number, readonly reason: symbol }
  ): Promise<void> {
    const stop = new AbortController()
    const signal = AbortSignal.any([this.#signal, stop.signal])
    let impatience: Promise<void> | undefined
    const over = new AbortController()
    const reads = await Promise.all(states.map(async (state) => {
      const batch = await state.read(this.#polls, amount, signal, stop.signal)
      if (batch !== undefined && (batch.count > 0 || batch.isSearchOver)) {
        impatience ??= pause(end.patienceMs, over.signal).then(() => { stop.abort(end.reason) })
      }
      return batch
    }))
    over.abort()
    await impatience
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

// A share of each partition: at least one message, so that none is passed over for ever.
function shareOf (messages: number, bytes: number, partitions: number): Pick<Amount, 'limit' | 'maxBytes'> {
  return {
    limit: Math.max(1, Math.floor(messages / partitions)),
    maxBytes: Math.max(1, Math.floor(bytes / partitions))
  }
}
