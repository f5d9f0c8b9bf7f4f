import { StreamsError } from '../errors.ts'

export interface PublishFailure {
  /** 0-based, counted over the whole request. */
  readonly index: number
  /** `failed`: not stored. `unknown`: may have been stored. */
  readonly status: 'failed' | 'unknown'
  readonly error: StreamsError
}

/** `confirmed + duplicates + failures.length + doubted.count` is the number of messages sent. */
export interface PublishResult {
  confirmed: number
  /** Not stored again, because the broker had this publishing id, or a later one, already. */
  duplicates: number
  /** In request order. */
  failures: PublishFailure[]
  /** Messages that are confirmed although it is unknown whether they are stored. Then none counts as `confirmed`. */
  doubted?: { readonly count: number, readonly error: StreamsError } | undefined
  /** With a publisher name: its last publishing id, as the broker told it last. */
  lastPublishingId?: bigint | undefined
  /** To a super stream: how many messages each partition that was published to has stored, by its name. */
  partitions?: Readonly<Record<string, number>> | undefined
}

const PENDING = 0
const SETTLED = 1

/**
 * The outcome of the entries of one batch. Each gets exactly one, whatever the broker does, and all its messages have
 * it. Settles when all have theirs.
 */
export class BatchOutcome {
  /** Number of entries. */
  readonly count: number
  readonly startedMs = performance.now()
  /** Index of the batch's first message in its request. */
  readonly firstIndex: number
  /** Resolves, never rejects, when every entry has its outcome. */
  readonly settled: Promise<void>
  readonly result: PublishResult = { confirmed: 0, duplicates: 0, failures: [] }
  readonly #messagesPerEntry: number
  readonly #states: Uint8Array
  #pending: number
  #duplicates = 0
  #settle: () => void = () => {}

  constructor (count: number, firstIndex: number, messagesPerEntry = 1) {
    this.count = count
    this.firstIndex = firstIndex
    this.#messagesPerEntry = messagesPerEntry
    this.#pending = count
    this.#states = new Uint8Array(count)
    this.settled = new Promise((resolve) => { this.#settle = resolve })
    if (this.#pending === 0) this.#settle()
  }

  /** The index of an entry's first message in its request. */
  messageIndex (entry: number): number {
    return this.firstIndex + entry * this.#messagesPerEntry
  }

  get isSettled (): boolean {
    return this.#pending === 0
  }

  /** The index of the first entry without an outcome; `count` when all have theirs. */
  get firstPending (): number {
    const index = this.#states.indexOf(PENDING)
    return index === -1 ? this.count : index
  }

  /**
   * The first `count` entries are stored already. Of these only the last one has to be sent; its confirm stands for
   * all of them.
   */
  expectDuplicates (count: number): void {
    this.#duplicates = count
  }

  confirm (index: number): void {
    if (index === this.#duplicates - 1) {
      for (let known = 0; known <= index; known++) {
        if (this.#take(known)) this.result.duplicates += this.#messagesPerEntry
      }
    } else if (index >= this.#duplicates && this.#take(index)) {
      this.result.confirmed += this.#messagesPerEntry
    }
    this.#settleIfDone()
  }

  fail (index: number, status: PublishFailure['status'], error: StreamsError): void {
    if (this.#take(index)) this.#addFailures(index, status, error)
    this.#settleIfDone()
  }

  /** Gives the entries `from` to `to` (not included) that have no outcome yet this one. */
  failRest (status: PublishFailure['status'], error: StreamsError, from = 0, to = this.count): void {
    for (let index = from; index < to; index++) {
      if (this.#take(index)) this.#addFailures(index, status, error)
    }
    this.#settleIfDone()
  }

  /**
   * Entries from `from` on were not sent, so they are not stored. Those that the broker said to have may be stored.
   */
  failUnsent (error: StreamsError, from: number): void {
    if (this.#duplicates > 0) {
      this.failRest(
        'unknown',
        new StreamsError(error.code, error.message, { sideEffects: 'possible', cause: error }),
        0,
        this.#duplicates
      )
    }
    this.failRest('failed', error, from)
  }

  #addFailures (entry: number, status: PublishFailure['status'], error: StreamsError): void {
    const first = this.messageIndex(entry)
    for (let index = first; index < first + this.#messagesPerEntry; index++) {
      this.result.failures.push({ index, status, error })
    }
  }

  // The first outcome stands: a confirm that comes after the deadline was answered changes nothing.
  #take (index: number): boolean {
    if (this.#states[index] !== PENDING) return false
    this.#states[index] = SETTLED
    this.#pending--
    return true
  }

  #settleIfDone (): void {
    if (this.#pending === 0) this.#settle()
  }
}

/** The failure of a message that was not sent because its caller has left. */
export function callerLeft (): StreamsError {
  return new StreamsError('caller_left', 'the caller left, or its credential ended, before the message was sent')
}

/** Puts the outcomes of a request's batches together. */
export function summarise (outcomes: readonly BatchOutcome[]): PublishResult {
  const total: PublishResult = { confirmed: 0, duplicates: 0, failures: [] }
  for (const { result } of outcomes) {
    total.confirmed += result.confirmed
    total.duplicates += result.duplicates
    for (const failure of result.failures) total.failures.push(failure)
  }
  total.failures.sort((a, b) => a.index - b.index)
  return total
}
