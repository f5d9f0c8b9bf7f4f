import type { ReadFilter } from './filter.ts'

/** A read of the messages that a filter matches. */
export interface Search {
  readonly filter: ReadFilter
  /** Settles when the next piece of heavy work may begin. */
  readonly turn: () => Promise<void>
}

/** Says which messages of a chunk are wanted, and when to look at no more of them. */
export interface Sieve {
  /** Whether the message is wanted. */
  wants (data: Buffer, start: number, length: number): boolean
  /** Whether no more messages are looked at in this turn of the event loop. */
  readonly isPaused: boolean
}

/** How long one read searches; what it waits for messages is not counted. */
const MAX_SEARCH_MS = 5000
/** What is looked at in one turn of the event loop: a few milliseconds of work. */
const TURN_MESSAGES = 10_000

/** A look at some messages with a filter, in one turn of the event loop. */
export class Scan implements Sieve {
  readonly #filter: ReadFilter
  #messagesLeft: number

  /** @param messages how many messages to look at, at most; it may be fewer */
  constructor (filter: ReadFilter, messages: number) {
    this.#filter = filter
    this.#messagesLeft = Math.min(messages, TURN_MESSAGES)
  }

  wants (data: Buffer, start: number, length: number): boolean {
    this.#messagesLeft--
    return this.#filter.matches(data, start, start + length)
  }

  get isPaused (): boolean {
    return this.#messagesLeft <= 0
  }
}

/** How far a read with a filter has come, and how far it may go. */
export class SearchRun implements Sieve {
  readonly #filter: ReadFilter
  readonly #turn: () => Promise<void>
  readonly #maxBytes: number
  readonly #startedMs = performance.now()
  #pausedMs = 0
  #bytes = 0
  #messagesLeft = TURN_MESSAGES

  /** @param maxBytes how many bytes of messages to look at, at most */
  constructor ({ filter, turn }: Search, maxBytes: number) {
    this.#filter = filter
    this.#turn = turn
    this.#maxBytes = maxBytes
  }

  wants (data: Buffer, start: number, length: number): boolean {
    this.#bytes += length
    this.#messagesLeft--
    return this.#filter.matches(data, start, start + length)
  }

  /** Others have to get their turn, or it is over. */
  get isPaused (): boolean {
    return this.#messagesLeft <= 0 || this.#bytes >= this.#maxBytes
  }

  /** Settles when it is its turn again. */
  async nextTurn (): Promise<void> {
    await this.#turn()
    this.#messagesLeft = TURN_MESSAGES
  }

  /** Whether the read has looked at as much as it may. */
  get isOver (): boolean {
    return this.#bytes >= this.#maxBytes || this.remainingMs <= 0
  }

  get remainingMs (): number {
    return this.#startedMs + this.#pausedMs + MAX_SEARCH_MS - performance.now()
  }

  /** So long it has waited for messages to come. */
  waited (ms: number): void {
    this.#pausedMs += ms
  }
}
