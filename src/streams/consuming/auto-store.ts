import { Deadline } from '../common/deadline.ts'
import { StreamsError } from '../errors.ts'
import type { ReadRequest, Polls } from '../reading/polls.ts'
import type { ReadBatch } from '../reading/read-batch.ts'
import { commitOffsetOf, stored, type ConsumerBatch } from './commit-offset.ts'
import { consumerKey } from './consumer-key.ts'
import type { ConsumerOffsets } from './consumer-offsets.ts'
import type { Start } from './consumer-start.ts'
import { Turns } from './turns.ts'

// How long a read waits for its turn, unless it waits for data longer anyway. A turn is a look, a read of what is there
// and a store.
const TURN_WAIT_MS = 10_000

/** How a batch is stored before it is answered. */
export interface AutoStore {
  /** Makes the answer, which may end the batch earlier: only what is in the answer is stored. */
  readonly prepare: (batch: ConsumerBatch) => Promise<void>
}

/** What differs from poll to poll. */
export interface AutoStoreRequest {
  readonly stream: string
  readonly consumer: string
  readonly request: ReadRequest
  readonly autoStore: AutoStore
  /** Where the consumer is. */
  readonly look: () => Promise<Start>
  /** Holds a read from there until there is data or the time is over. */
  readonly hold: (start: Start, request: ReadRequest) => Promise<ReadBatch>
  readonly signal: AbortSignal
}

/**
 * Reads whose offset is stored before they are answered. Reads of one consumer take turns from the look to the store:
 * no two of this process get the same messages. A read that waits for data has no turn meanwhile.
 */
export class AutoStores {
  readonly #polls: Polls
  readonly #offsets: ConsumerOffsets
  readonly #turns = new Turns()

  constructor (polls: Polls, offsets: ConsumerOffsets) {
    this.#polls = polls
    this.#offsets = offsets
  }

  /** @throws StreamsError what `Polls.read` and `ConsumerOffsets.store` throw, and `overloaded` without a turn */
  async read (poll: AutoStoreRequest): Promise<ReadBatch> {
    const { request } = poll
    const wait = new Deadline(request.waitMs)
    const turns = new Deadline(Math.max(request.waitMs, TURN_WAIT_MS))
    for (;;) {
      const claimed = await this.#claimInTurn(poll, turns)
      if (claimed === undefined) continue
      const { batch, start } = claimed
      if (batch.count > 0 || batch.isSearchOver || wait.hasPassed || this.#polls.isDraining) return batch
      batch.release()
      const one = { from: start.from, limit: 1, maxBytes: 1, waitMs: wait.remainingMs, search: request.search }
      const arrived = await poll.hold(start, one)
      if (arrived.count === 0) return arrived
      arrived.release() // it is read again in a turn, from a reader that has it at hand
    }
  }

  async #claimInTurn (poll: AutoStoreRequest, turns: Deadline): Promise<Claim | undefined> {
    const { stream, consumer, signal } = poll
    const bounds = { timeoutMs: turns.remainingMs, signal }
    const turn = await this.#turns.take(consumerKey(stream, consumer), bounds, async () => await this.#claim(poll))
    if (turn?.result !== undefined) return turn.result
    signal.throwIfAborted()
    if (!turns.hasPassed) return undefined
    throw new StreamsError('overloaded', 'too many reads of this consumer take turns; try again in a moment')
  }

  // Undefined when the consumer was moved in between: by a commit, by a reset, or by a read through another gateway.
  async #claim (
    { stream, consumer, request, autoStore, look, signal }: AutoStoreRequest
  ): Promise<Claim | undefined> {
    const start = await look()
    const batch = await this.#polls.read(stream, { ...request, from: start.from, waitMs: 0 }, signal)
    try {
      if (batch.count > 0) await autoStore.prepare(stored(batch))
      signal.throwIfAborted() // what is stored for a caller that has left is lost
      const offset = commitOffsetOf(batch, start)
      if (offset !== null) await this.#offsets.store(stream, consumer, offset, start.stored ?? null)
      // An empty read that begins with a gap has to say so again.
      const next = batch.gap === undefined ? batch.nextOffset : undefined
      return { batch, start: next === undefined ? start : { ...start, from: { type: 'offset', offset: next } } }
    } catch (error) {
      batch.release()
      if (isMoved(error)) return undefined
      throw error
    }
  }
}

interface Claim { readonly batch: ReadBatch, readonly start: Start }

function isMoved (error: unknown): boolean {
  return error instanceof StreamsError && (error.code === 'expectation_failed' || error.code === 'offset_goes_back')
}
