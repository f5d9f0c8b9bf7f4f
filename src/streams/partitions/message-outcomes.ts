import type { StreamsError } from '../errors.ts'
import type { PublishFailure } from '../publishing/outcome.ts'
import type { ShareListener } from './shares.ts'

/** What became of the copies of one message. */
interface Copies {
  confirmed: number
  duplicates: number
  unknown: number
  error: StreamsError | undefined
}

/** What became of the messages of a request, put together from the partitions that they went to. */
export class MessageOutcomes implements ShareListener {
  #confirmed = 0
  #duplicates = 0
  readonly #failures: PublishFailure[] = []
  // Of the messages that go to several partitions.
  readonly #copies = new Map<number, Copies>()

  /** Whether a message goes to several partitions. */
  get hasCopies (): boolean {
    return this.#copies.size > 0
  }

  unrouted (index: number, error: StreamsError): void {
    this.#failures.push({ index, status: 'failed', error })
  }

  copied (index: number): void {
    this.#copies.set(index, { confirmed: 0, duplicates: 0, unknown: 0, error: undefined })
  }

  /** Messages that are stored. Each of them goes to one partition only. */
  addStored (confirmed: number, duplicates: number): void {
    this.#confirmed += confirmed
    this.#duplicates += duplicates
  }

  confirm (index: number): void {
    const copies = this.#copies.get(index)
    if (copies === undefined) this.#confirmed++
    else copies.confirmed++
  }

  duplicate (index: number): void {
    const copies = this.#copies.get(index)
    if (copies === undefined) this.#duplicates++
    else copies.duplicates++
  }

  fail (index: number, status: PublishFailure['status'], error: StreamsError): void {
    const copies = this.#copies.get(index)
    if (copies === undefined) {
      this.#failures.push({ index, status, error })
      return
    }
    if (status === 'unknown') copies.unknown++
    // What may be stored says more than what is not.
    if (status === 'unknown' || copies.error === undefined) copies.error = error
  }

  /** To be asked once, when every copy has its outcome. */
  result (): { confirmed: number, duplicates: number, failures: PublishFailure[] } {
    for (const [index, { confirmed, duplicates, unknown, error }] of this.#copies) {
      if (error === undefined) this.addStored(confirmed > 0 ? 1 : 0, confirmed > 0 ? 0 : 1)
      // Stored at one partition and not at another: neither "stored" nor "not stored" would be true of it.
      else if (confirmed + duplicates + unknown > 0) {
        this.#failures.push({ index, status: 'unknown', error: error.afterSideEffects() })
      } else this.#failures.push({ index, status: 'failed', error })
    }
    const failures = this.#failures.sort((a, b) => a.index - b.index)
    return { confirmed: this.#confirmed, duplicates: this.#duplicates, failures }
  }
}
