import { classify } from '../classify.ts'
import { Backoff } from '../common/backoff.ts'
import type { Deadline } from '../common/deadline.ts'
import { pause, within } from '../common/wait.ts'
import { isLoss } from '../connections/connect-error.ts'
import { StreamsError } from '../errors.ts'
import { MAX_OFFSET } from '../offset.ts'
import type { Outgoing } from './outbox.ts'
import type { Publisher } from './publisher.ts'

// How many times the publisher may be lost while the broker is asked for its last id.
const MAX_ATTEMPTS = 5
// The highest id that a request can have. Whatever comes after it would be a duplicate.
const MAX_ID = BigInt(MAX_OFFSET)
// Pauses between attempts to ask for it again, after everything is confirmed.
const FIRST_PAUSE_MS = 20
const MAX_PAUSE_MS = 1000

/**
 * A request's turn with a publisher name. The broker keeps one number for each name, the highest publishing id it has
 * seen, and takes every message that is not above it for a duplicate. So requests with the same name take turns, and
 * each begins by asking for that number: another gateway may have used the name meanwhile.
 */
export class NamedTurn {
  readonly #publisher: Publisher
  readonly #expected: bigint | undefined
  #last: { readonly id: bigint, readonly declarations: number } | undefined
  // The last id that the broker had when the turn began.
  #firstLastId: bigint | undefined
  #highestId = -1
  #lastPublishingId: bigint | undefined

  /** @param expected refuse the request unless the broker's last publishing id is this one */
  constructor (publisher: Publisher, expected: bigint | undefined) {
    this.#publisher = publisher
    this.#expected = expected
  }

  /** The last publishing id of the name, as the broker told it last; undefined when it was not asked or is in doubt. */
  get lastPublishingId (): bigint | undefined {
    return this.#lastPublishingId
  }

  /**
   * Sends what the broker does not have yet and counts the rest as duplicates.
   *
   * @throws StreamsError `expectation_failed`, `publisher_exhausted`, `invalid_argument`, and what opening the
   *   publisher can fail with
   */
  async send (message: Outgoing): Promise<void> {
    const { batch, outcome } = message
    const ids = batch.publishingIds
    if (ids === undefined) {
      throw new StreamsError('invalid_argument', 'with a publisher name every message needs a publishing id')
    }
    if ((ids[0] ?? 0) <= this.#highestId) {
      throw new StreamsError('invalid_argument', 'publishing ids have to ascend within a request')
    }
    const lastId = await this.#lastId()
    // Only a name that was used up before this request: its own highest id is stored like any other.
    if ((this.#firstLastId ?? lastId) >= MAX_ID) throw exhausted(this.#publisher.reference, lastId)
    const known = countKnown(ids, lastId)
    // The broker's number may be ahead of what a majority of its nodes has. So the last duplicate is sent too: the
    // broker does not store it again, and confirms it only when the chunk that holds the first one is committed. Before
    // that, the messages do not count as stored.
    outcome.expectDuplicates(known)
    this.#publisher.send(message, Math.max(0, known - 1))
    this.#highestId = ids.at(-1) ?? this.#highestId
  }

  /**
   * Asks whether somebody else has used the name while the messages were on their way. Only the broker's last id tells:
   * when it is above all ids that were sent here and above what it was when the turn began, the broker may have taken
   * the messages for duplicates, which it confirms as if they were stored. Requests that take turns with the name in
   * this process never see that: their turn begins after this one.
   *
   * @param deadline how long a broker that does not answer is asked again
   * @param signal aborts when the caller has left
   * @returns why it is unknown whether what was confirmed is stored, or undefined when it is
   */
  async doubt (deadline: Deadline, signal: AbortSignal | undefined): Promise<StreamsError | undefined> {
    const bounds = { timeoutMs: deadline.remainingMs, signal }
    const lastPublishingId = await within(this.#askUntil(deadline, signal), bounds)
    // What it was before no longer says anything about the messages.
    if (lastPublishingId === undefined) {
      this.#lastPublishingId = undefined
      return unverified()
    }
    const isOurs = lastPublishingId <= BigInt(this.#highestId) || lastPublishingId <= (this.#firstLastId ?? -1n)
    return isOurs ? undefined : overtaken(lastPublishingId)
  }

  // Undefined when the broker cannot be asked. Never rejects.
  async #askUntil (deadline: Deadline, signal: AbortSignal | undefined): Promise<bigint | undefined> {
    const backoff = new Backoff(FIRST_PAUSE_MS, MAX_PAUSE_MS)
    while (!deadline.hasPassed && signal?.aborted !== true) {
      try {
        return await this.#ask()
      } catch (error) {
        if (!classify(error).retryable || this.#publisher.isClosed) return undefined
        await pause(Math.min(backoff.nextMs(), deadline.remainingMs), signal)
      }
    }
    return undefined
  }

  // The number is valid for one declaration: another leader may have seen less, and a stream that was created anew has
  // seen nothing. The messages have to be sent under the declaration for which the number was asked, so nothing is
  // awaited between this and `send`.
  async #lastId (): Promise<bigint> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      await this.#publisher.open()
      const { declarations } = this.#publisher
      if (this.#last?.declarations === declarations) return this.#last.id
      try {
        this.#last = { id: await this.#ask(), declarations }
      } catch (error) {
        // Another publisher's request may have ended the connection; nothing of this request was sent yet.
        if (!isLoss(error) || attempt === MAX_ATTEMPTS - 1) throw error
        continue
      }
      this.#firstLastId ??= this.#last.id
    }
    throw new StreamsError('stream_not_available', 'the publisher was lost again and again')
  }

  async #ask (): Promise<bigint> {
    const { stream, reference = '' } = this.#publisher
    const connection = await this.#publisher.open()
    let lastId: bigint
    try {
      lastId = await connection.queryPublisherSequence(reference, stream)
      this.#lastPublishingId = lastId
    } catch (error) {
      throw classify(error)
    }
    if (this.#last === undefined && this.#expected !== undefined && lastId !== this.#expected) {
      throw new StreamsError('expectation_failed', 'the last publishing id of this publisher is not the expected one', {
        details: { lastPublishingId: lastId }
      })
    }
    return lastId
  }
}

// The broker answers 0 for a name it does not know and also for one whose last id is 0. Then it has to decide itself
// whether it has id 0.
function countKnown (ids: readonly number[], lastId: bigint): number {
  if (lastId === 0n) return 0
  let known = 0
  while (known < ids.length && BigInt(ids[known] ?? 0) <= lastId) known++
  return known
}

function exhausted (publisher: string | undefined, lastPublishingId: bigint): StreamsError {
  return new StreamsError(
    'publisher_exhausted',
    `the publisher name ${JSON.stringify(publisher)} is used up: its last publishing id is ${lastPublishingId}, and ` +
    'no higher one can be sent; use another name',
    { details: { lastPublishingId } }
  )
}

function overtaken (lastPublishingId: bigint): StreamsError {
  return new StreamsError(
    'publisher_overtaken',
    'somebody else has published under this name at the same moment; the broker may have dropped the messages as ' +
    'duplicates',
    {
      sideEffects: 'possible',
      details: { lastPublishingId }
    }
  )
}

function unverified (): StreamsError {
  return new StreamsError(
    'confirm_timeout',
    'the broker has confirmed the messages, but could not be asked in time whether somebody else used the publisher ' +
    'name meanwhile',
    { sideEffects: 'possible' }
  )
}
