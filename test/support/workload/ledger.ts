/** What a client was told of a message. */
export type Outcome = 'confirmed' | 'unknown' | 'failed'

const CODES = { none: 0, confirmed: 1, unknown: 2, failed: 3 } as const

/**
 * The messages of one publisher, numbered from 0, and what it was told of each. It takes a byte for each message, so
 * that an hour of load fits into memory.
 */
export class Ledger {
  /** Stands before the number in each body; no other ledger of the stream has it. */
  readonly publisher: string
  /** With a publisher name and publishing ids. */
  readonly isNamed: boolean
  /** Messages in each request. */
  readonly batch: number
  #outcomes = new Uint8Array(1024)
  #sent = 0
  #confirmed = 0
  /** Answers that cannot be true, such as duplicates of what was never sent before. */
  readonly lies: string[] = []

  constructor (publisher: string, { isNamed, batch = 50 }: { isNamed: boolean, batch?: number }) {
    this.publisher = publisher
    this.isNamed = isNamed
    this.batch = batch
  }

  /** How many messages there are, including those without an answer. */
  get sent (): number {
    return this.#sent
  }

  /** Takes the numbers of the next request. @returns the first one */
  take (): number {
    const first = this.#sent
    this.#sent += this.batch
    if (this.#sent > this.#outcomes.length) {
      const larger = new Uint8Array(Math.max(this.#sent, this.#outcomes.length * 2))
      larger.set(this.#outcomes)
      this.#outcomes = larger
    }
    return first
  }

  /** How many were told to be confirmed. */
  get confirmed (): number {
    return this.#confirmed
  }

  tell (number: number, outcome: Outcome): void {
    this.#confirmed += Number(outcome === 'confirmed') - Number(this.#outcomes[number] === CODES.confirmed)
    this.#outcomes[number] = CODES[outcome]
  }

  /** What was told of a message. A message without any answer may be stored. */
  outcomeOf (number: number): Outcome {
    switch (this.#outcomes[number]) {
      case CODES.confirmed: return 'confirmed'
      case CODES.failed: return 'failed'
      default: return 'unknown'
    }
  }

  bodyOf (number: number): string {
    return `${this.publisher}:${number}`
  }
}
