import { Backoff } from '../common/backoff.ts'
import { Deadline } from '../common/deadline.ts'
import { pause } from '../common/wait.ts'
import { StreamsError } from '../errors.ts'

// How long a held read may overlook that its consumer was reset through another gateway. Each look is a question to the
// broker.
const RECHECK_MS = 5000
// Between attempts to look while the broker cannot be reached.
const FIRST_PAUSE_MS = 50
const MAX_PAUSE_MS = 1000
// In place of an error: the read begins anew.
const MOVED = Symbol('the consumer was reset')

/**
 * Whether the consumer is still where the read began. `unsure`: the last look has failed or is under way. `moved`: this
 * process has reset it.
 */
type Place = 'sure' | 'unsure' | 'moved'

/** A batch of any kind. */
interface HeldBatch {
  readonly count: number
  readonly wasHeld: boolean
  readonly isSearchOver: boolean
  readonly release: () => void
}

/** What is held: a read of a stream, or of several partitions. `Where` is where a consumer is. */
export interface HeldRead<Where, Batch extends HeldBatch> {
  /** How long to hold it, ms. */
  readonly waitMs: number
  /** Asks where the consumer is. */
  readonly look: () => Promise<Where>
  readonly read: (from: Where, waitMs: number, signal: AbortSignal) => Promise<Batch>
  /** Whether the consumer has been moved. */
  readonly isElsewhere: (before: Where, now: Where) => boolean
  /** Where an empty batch has come to. */
  readonly after: (from: Where, batch: Batch) => Where
  readonly isDraining: () => boolean
}

/**
 * A read that is held for data, in slices after each of which the stored offset is looked at again. It answers from
 * where its consumer is when it answers, not from where it was when it was asked: else the store of what was read would
 * undo a reset in between.
 */
export class HeldPoll<Where, Batch extends HeldBatch> {
  readonly #held: HeldRead<Where, Batch>
  readonly #signal: AbortSignal
  readonly #wait: Deadline
  readonly #backoff = new Backoff(FIRST_PAUSE_MS, MAX_PAUSE_MS)
  #start: Where
  #slice = new AbortController()
  #hasBegun = false
  #place: Place = 'sure'

  /** @param signal aborts when the caller has gone away */
  constructor (start: Where, held: HeldRead<Where, Batch>, signal: AbortSignal) {
    this.#start = start
    this.#held = held
    this.#signal = signal
    this.#wait = new Deadline(held.waitMs)
  }

  /** Where the batch was read from: another place than in the beginning when the consumer was moved meanwhile. */
  get start (): Where {
    return this.#start
  }

  /** The consumer was reset through this process. */
  moved (): void {
    this.#place = 'moved'
    this.#slice.abort(MOVED)
  }

  /** @throws what `Polls.read` throws */
  async toEnd (): Promise<Batch> {
    const leave = (): void => { this.#slice.abort(this.#signal.reason) }
    this.#signal.addEventListener('abort', leave)
    try {
      for (;;) {
        const batch = await this.#turn()
        if (batch !== undefined) return batch
      }
    } finally {
      this.#signal.removeEventListener('abort', leave)
    }
  }

  // Undefined when there is to be another slice.
  async #turn (): Promise<Batch | undefined> {
    let batch: Batch | undefined
    try {
      if (this.#place !== 'sure') await this.#lookAgain()
      batch = await this.#readSlice()
      if (batch !== undefined && await this.#isAnswer(batch)) return batch
      batch?.release()
    } catch (error) {
      batch?.release()
      await this.#outlive(error)
    }
    return undefined
  }

  // Undefined when the consumer was moved meanwhile.
  async #readSlice (): Promise<Batch | undefined> {
    this.#slice = new AbortController()
    this.#signal.throwIfAborted()
    const waitMs = Math.min(this.#wait.remainingMs, RECHECK_MS)
    try {
      const batch = await this.#held.read(this.#start, waitMs, this.#slice.signal)
      this.#hasBegun = true
      return batch
    } catch (error) {
      if (error === MOVED) return undefined
      throw error
    }
  }

  async #isAnswer (batch: Batch): Promise<boolean> {
    const isOld = batch.wasHeld && await this.#lookAgain()
    if (isOld || this.#isMoved()) return false
    if (batch.count > 0 || batch.isSearchOver || !batch.wasHeld) return true
    if (this.#wait.hasPassed || this.#held.isDraining()) return true
    // A position is looked up once, so that nothing is missed between two slices.
    this.#start = this.#held.after(this.#start, batch)
    return false
  }

  // Whether the consumer is somewhere else than where was read from.
  async #lookAgain (): Promise<boolean> {
    const wasMoved = this.#isMoved()
    this.#place = 'unsure'
    const now = await this.#held.look()
    if (!this.#isMoved()) this.#place = 'sure'
    if (!wasMoved && !this.#held.isElsewhere(this.#start, now)) return false
    this.#start = now
    return true
  }

  // A method, because the place may change while anything is awaited.
  #isMoved (): boolean {
    return this.#place === 'moved'
  }

  // A broker that is away for a while, or a moment without room, does not end a read that has begun to wait.
  async #outlive (error: unknown): Promise<void> {
    const isPassing =
      error instanceof StreamsError && error.retryable && (this.#hasBegun || error.code !== 'overloaded')
    if (!isPassing || this.#wait.hasPassed || this.#held.isDraining()) throw error
    if (!this.#isMoved()) this.#place = 'unsure'
    await pause(Math.min(this.#backoff.nextMs(), this.#wait.remainingMs), this.#signal)
  }
}
