import { classify } from '../classify.ts'
import { StreamsError } from '../errors.ts'
import type { Polls, ReadRequest } from '../reading/polls.ts'
import type { ReadBatch } from '../reading/read-batch.ts'
import type { PartitionGap, PartitionRead, Unavailable } from './merged-batch.ts'
import type { Partition } from './partitions.ts'

/** A partition, and where it is read from. */
export interface StartedPartition {
  readonly partition: Partition
  readonly offset: number
}

/** Why a poll has ended early: it did not say in time whether there is anything. */
export const LATE = Symbol('late')
/** Why a poll has ended early: there was nothing so far, and another partition has messages. */
export const SILENT = Symbol('silent')

/** How far a read of several partitions has come in one of them. */
export class PartitionState {
  readonly #started: StartedPartition
  readonly #batches: ReadBatch[] = []
  #position: number
  #isAtEnd = false
  #failure: StreamsError | undefined

  constructor (started: StartedPartition) {
    this.#started = started
    this.#position = started.offset
  }

  get mayHaveMore (): boolean {
    return !this.#isAtEnd && this.#failure === undefined && !this.isSearchOver
  }

  get isAtEnd (): boolean {
    return this.#isAtEnd
  }

  get isSearchOver (): boolean {
    return this.#batches.some(({ isSearchOver }) => isSearchOver)
  }

  get failure (): StreamsError | undefined {
    return this.#failure
  }

  get gaps (): PartitionGap[] {
    const { name } = this.#started.partition
    return this.#batches.flatMap(({ gap }) => gap === undefined ? [] : [{ partition: name, ...gap }])
  }

  get unavailable (): Unavailable[] {
    const { name } = this.#started.partition
    return this.#failure === undefined ? [] : [{ partition: name, error: this.#failure }]
  }

  get result (): PartitionRead {
    const { name, stream, key } = this.#started.partition
    const place = { key, nextOffset: this.#position }
    return { partition: name, stream, batches: this.#batches, place, isAtEnd: this.#isAtEnd }
  }

  /**
   * Reads on. Undefined when that failed, or was ended because others have messages.
   *
   * @param signal aborts with `LATE` or `SILENT` in the latter case
   */
  async read (
    polls: Polls, amount: Omit<ReadRequest, 'from'>, signal: AbortSignal
  ): Promise<ReadBatch | undefined> {
    const { name, stream } = this.#started.partition
    try {
      const batch = await polls.read(stream, { ...amount, from: { type: 'offset', offset: this.#position } }, signal)
      this.#failure = undefined
      return batch
    } catch (error) {
      if (signal.reason === SILENT) return undefined
      const failure = signal.reason === LATE
        ? new StreamsError('broker_timeout', 'it did not answer in time')
        : classify(error)
      this.#failure = failure.inPartition(name)
      return undefined
    }
  }

  take (batch: ReadBatch): void {
    this.#batches.push(batch)
    this.#position = batch.nextOffset
    this.#isAtEnd = batch.endOfStream
  }

  /** The batch has no room. */
  leave (batch: ReadBatch): void {
    batch.release()
    this.#isAtEnd = false
  }

  release (): void {
    for (const batch of this.#batches) batch.release()
  }
}
