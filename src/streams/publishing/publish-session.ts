import type { ByteBudget } from '../common/budget.ts'
import { classify } from '../classify.ts'
import { Deadline } from '../common/deadline.ts'
import { Lease } from '../common/lease.ts'
import type { Entries } from '../entries.ts'
import { StreamsError } from '../errors.ts'
import type { MessageBatch } from '../message-batch.ts'
import { NamedTurn } from './named-turn.ts'
import { BatchOutcome, callerLeft, summarise, type PublishResult } from './outcome.ts'
import type { Publisher } from './publisher.ts'

export interface SessionOptions {
  publisher: Publisher
  budget: ByteBudget
  confirmTimeoutMs: number
  /** With a publisher name: what the broker's last publishing id has to be. */
  expectedLastPublishingId: bigint | undefined
  signal: AbortSignal | undefined
  /** What the source of the batches holds beside them while they are on their way. */
  sourceBytes: number
  /** A request that streams its messages waits for confirms when this much of it is on its way. */
  maxPendingBytes: number
  /** Called once, when the session no longer needs the publisher. */
  done (result: PublishResult): void
}

/** A publish request whose messages come piece by piece. Not for concurrent use: await each call. */
export interface StreamedSession {
  /**
   * Takes a batch. Settles when there is room for the next one. What it throws ends the request: nothing of that batch
   * was sent.
   *
   * @throws StreamsError `message_too_large`, `overloaded`, `draining`, `expectation_failed`, `publisher_exhausted`,
   *   `stream_not_found`, `broker_unavailable`, ...
   */
  write (batch: MessageBatch): Promise<void>
  /**
   * Sends what waits for more messages, if anything does. Call it after the last `write`, also after a failed one.
   *
   * @throws StreamsError as `write`
   */
  flush (): Promise<void>
  /**
   * Settles when every message that was sent has its outcome, at the latest after the confirm timeout; with a publisher
   * name up to a second later. Call it once, at last.
   */
  finish (): Promise<PublishResult>
}

// How long a broker that confirmed at the last moment may take to answer with its last publishing id.
const MIN_VERIFY_MS = 1000

/** One publish request. What comes is sent as it is. */
export class PublishSession implements StreamedSession {
  readonly #options: SessionOptions
  readonly #outcomes: BatchOutcome[] = []
  // What is on its way and, while something is, what its source holds beside it.
  readonly #lease: Lease
  #turn: NamedTurn | undefined
  #endTurn: () => void = () => {}
  #count = 0
  #pendingBytes = 0
  #wake: () => void = () => {}

  constructor (options: SessionOptions) {
    this.#options = options
    this.#lease = Lease.of(options.budget)
  }

  /**
   * See `StreamedSession`. After it has thrown, `finish` still answers what became of the batches before.
   *
   * @param held holds the memory of the batch, which the session then holds: ended here
   */
  async write (batch: Entries, held?: Lease): Promise<void> {
    if (this.#options.signal?.aborted === true) throw callerLeft()
    const bytes = batch.heldBytes
    const { maxPendingBytes } = this.#options
    while (this.#pendingBytes > 0 && this.#pendingBytes + bytes > maxPendingBytes) await this.#roomAgain()
    // No promise is made when there is room: this is done for every small publish.
    if (held !== undefined) this.#takeOver(held, bytes)
    else if (!this.#tryHold(bytes)) await this.#holdLater(bytes)
    const outcome = new BatchOutcome(batch.count, this.#count, batch.messagesPerEntry)
    try {
      await this.#send(batch, outcome)
    } catch (error) {
      this.#settled(bytes)
      throw classify(error)
    }
    this.#count += batch.count * batch.messagesPerEntry
    this.#outcomes.push(outcome)
    this.#watch(outcome, bytes)
  }

  /** Does nothing: nothing waits for more messages. */
  async flush (): Promise<void> {}

  /** See `StreamedSession`. */
  async finish (): Promise<PublishResult> {
    for (const outcome of this.#outcomes) await outcome.settled
    const result = await this.#verified(summarise(this.#outcomes))
    this.#endTurn()
    this.#options.done(result)
    return result
  }

  async #verified (result: PublishResult): Promise<PublishResult> {
    if (this.#turn === undefined) return result
    if (result.confirmed === 0) return { ...result, lastPublishingId: this.#turn.lastPublishingId }
    const { confirmTimeoutMs, signal } = this.#options
    const startedMs = this.#outcomes.at(-1)?.startedMs ?? 0
    const leftMs = startedMs + confirmTimeoutMs - performance.now()
    const error = await this.#turn.doubt(new Deadline(Math.max(leftMs, MIN_VERIFY_MS)), signal)
    const { lastPublishingId } = this.#turn
    return error === undefined
      ? { ...result, lastPublishingId }
      : { ...result, lastPublishingId, confirmed: 0, doubted: { count: result.confirmed, error } }
  }

  async #send (batch: Entries, outcome: BatchOutcome): Promise<void> {
    const { publisher, signal } = this.#options
    if (publisher.reference === undefined) {
      if (batch.publishingIds !== undefined) {
        throw new StreamsError('invalid_argument', 'a publishing id needs a publisher name')
      }
      await publisher.open()
      if (signal?.aborted === true) throw callerLeft()
      publisher.send({ batch, outcome, signal })
      return
    }
    this.#turn ??= await this.#takeTurn()
    await this.#turn.send({ batch, outcome, signal })
  }

  async #takeTurn (): Promise<NamedTurn> {
    const { publisher, expectedLastPublishingId, confirmTimeoutMs, signal } = this.#options
    const endTurn = await publisher.turns.take({ timeoutMs: confirmTimeoutMs, signal })
    if (endTurn === undefined) {
      if (signal?.aborted === true) throw callerLeft()
      throw new StreamsError('overloaded', 'earlier requests with this publisher name take too long')
    }
    this.#endTurn = endTurn
    return new NamedTurn(publisher, expectedLastPublishingId)
  }

  // Every message gets its outcome: from the broker, or from the clock, or because the caller left before it was sent.
  #watch (outcome: BatchOutcome, bytes: number): void {
    const { publisher, confirmTimeoutMs } = this.#options
    const timer = setTimeout(() => { publisher.giveUp(outcome, notTaken(), notConfirmed()) }, confirmTimeoutMs)
    outcome.settled.then(() => {
      clearTimeout(timer)
      this.#settled(bytes)
    }).catch(() => {}) // settled never rejects
  }

  #takeOver (held: Lease, bytes: number): void {
    this.#pendingBytes += bytes
    this.#lease.resize(this.#heldBytes(this.#pendingBytes))
    held.end()
  }

  #tryHold (bytes: number): boolean {
    if (!this.#lease.tryGrow(this.#growthFor(bytes))) return false
    this.#pendingBytes += bytes
    return true
  }

  // A request that has already sent something waits for room: refusing it halfway would waste what is stored. A named
  // publisher does not wait, because other requests of its name may wait for it and hold what it waits for.
  async #holdLater (bytes: number): Promise<void> {
    const { budget, publisher, confirmTimeoutMs, signal } = this.#options
    const mayWait = this.#outcomes.length > 0 && publisher.reference === undefined
    const hasRoom = mayWait && await this.#lease.growLater(this.#growthFor(bytes), confirmTimeoutMs, signal)
    if (!hasRoom) throw tooManyUnconfirmed(budget)
    this.#pendingBytes += bytes
    // While it waited, what was pending may have been confirmed, and the source's share given back with it.
    this.#lease.resize(this.#heldBytes(this.#pendingBytes))
  }

  #settled (bytes: number): void {
    this.#pendingBytes -= bytes
    this.#lease.resize(this.#heldBytes(this.#pendingBytes))
    this.#wake()
  }

  #growthFor (bytes: number): number {
    return this.#heldBytes(this.#pendingBytes + bytes) - this.#heldBytes(this.#pendingBytes)
  }

  #heldBytes (pendingBytes: number): number {
    return pendingBytes === 0 ? 0 : pendingBytes + this.#options.sourceBytes
  }

  async #roomAgain (): Promise<void> {
    await new Promise<void>((resolve) => { this.#wake = resolve })
  }
}

/** Refuses a publish because the budget is spent. */
export function tooManyUnconfirmed ({ limitBytes }: ByteBudget): StreamsError {
  return new StreamsError('overloaded', 'too many bytes wait for the confirms of the broker; try again in a moment', {
    details: { limitBytes }
  })
}

function notTaken (): StreamsError {
  return new StreamsError('broker_timeout', 'the broker did not take the message in time; it was not sent')
}

function notConfirmed (): StreamsError {
  return new StreamsError(
    'confirm_timeout',
    'the broker did not confirm the message in time; it may have been stored',
    {
      sideEffects: 'possible'
    }
  )
}
