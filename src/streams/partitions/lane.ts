import { classify } from '../classify.ts'
import { StreamsError } from '../errors.ts'
import type { PublishResult } from '../publishing/outcome.ts'
import type { StreamedSession } from '../publishing/publish-session.ts'
import type { MessageOutcomes } from './message-outcomes.ts'
import { indexIn, type Share } from './shares.ts'

// Not the messages, which are let go when they are confirmed.
type Written = Pick<Share, 'indexes'> & { readonly count: number }

/** What a request publishes to one partition. When it fails, the others are not touched. */
export class Lane {
  readonly partition: string
  readonly #session: StreamedSession | undefined
  // In the order of the session, which counts messages from 0.
  readonly #written: Written[] = []
  #failure: StreamsError | undefined

  /** @param open begins the request of the partition; what it throws is the failure of all its messages */
  constructor (partition: string, open: () => StreamedSession) {
    this.partition = partition
    try {
      this.#session = open()
    } catch (error) {
      this.#failure = classify(error)
    }
  }

  /** Why nothing more is published to the partition. */
  get failure (): StreamsError | undefined {
    return this.#failure
  }

  /**
   * Takes messages; never throws. After a failure nothing more is sent: in a partition no message overtakes another.
   *
   * @param mayGo whether messages may be sent elsewhere, when the stream is gone
   * @returns false when the stream is gone and nothing of them was sent
   */
  async write (share: Share, mayGo: boolean): Promise<boolean> {
    if (this.#failure === undefined) {
      try {
        await this.#session?.write(share.batch)
      } catch (error) {
        this.#failure = classify(error)
        if (mayGo && this.#failure.code === 'stream_not_found') return false
      }
    }
    this.#written.push({ indexes: share.indexes, count: share.batch.count })
    return true
  }

  /** See `StreamedSession`; never throws. */
  async flush (): Promise<void> {
    try {
      await this.#session?.flush()
    } catch (error) {
      this.#failure ??= classify(error)
    }
  }

  /** Tells the outcome of each message. To be called once, at last. */
  async finish (outcomes: MessageOutcomes): Promise<PublishResult> {
    const result = await this.#session?.finish() ?? { confirmed: 0, duplicates: 0, failures: [] }
    const { confirmed, duplicates, failures, doubted } = result
    const sent = confirmed + duplicates + failures.length + (doubted?.count ?? 0)
    const count = this.#written.reduce((sum, written) => sum + written.count, 0)
    const isSimple = failures.length === 0 && doubted === undefined && sent === count && !outcomes.hasCopies
    if (isSimple) outcomes.addStored(confirmed, duplicates)
    else this.#tellEach(result, sent, outcomes)
    return result
  }

  // Ids ascend within a request, so its duplicates come first. What was not sent comes last.
  #tellEach ({ duplicates, failures, doubted }: PublishResult, sent: number, outcomes: MessageOutcomes): void {
    const failed = new Map(failures.map((failure) => [failure.index, failure]))
    const unsent = this.#failure ?? new StreamsError('stream_not_available', 'the message was not sent')
    let position = 0
    let known = 0
    for (const written of this.#written) {
      for (let at = 0; at < written.count; at++, position++) {
        const index = indexIn(written, at)
        const failure = failed.get(position)
        if (position >= sent) outcomes.fail(index, 'failed', unsent)
        else if (failure !== undefined) outcomes.fail(index, failure.status, failure.error)
        else if (known++ < duplicates) outcomes.duplicate(index)
        else if (doubted !== undefined) outcomes.fail(index, 'unknown', doubted.error)
        else outcomes.confirm(index)
      }
    }
  }
}
