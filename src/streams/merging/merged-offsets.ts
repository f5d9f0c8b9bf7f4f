import { classify } from '../classify.ts'
import { consumerKey } from '../consuming/consumer-key.ts'
import type { ConsumerOffsets, Stored } from '../consuming/consumer-offsets.ts'
import { StreamsError } from '../errors.ts'
import type { Position } from '../offset.ts'
import type { StreamEnds } from '../topology/stream-ends.ts'
import type { Partition } from './partitions.ts'

/** Where a consumer stands in a partition. */
export interface PartitionOffset {
  readonly partition: string
  /** Null when nothing is stored. */
  readonly storedOffset: bigint | null
  /** Null when nothing is stored. */
  readonly nextOffset: bigint | null
  readonly firstOffset: number
  readonly lastOffset: number | null
  readonly state: 'ok' | 'beyond_end' | 'nothing_stored'
  /** When nothing is stored: what a consumer has before it that begins at the first message. Null beyond the end. */
  readonly lag: bigint | null
}

/** What a store or a reset has done in a partition. */
export type PartitionStored = { readonly partition: string } & (Stored | { readonly error: StreamsError })

/** What to store in a partition. */
export interface PartitionCommit {
  readonly partition: Partition
  /** Of the last message processed. */
  readonly offset: number
  /** What has to be stored before; null: nothing; undefined: anything. */
  readonly expected?: number | bigint | null | undefined
}

/** What to make the next message in a partition. */
export interface PartitionReset {
  readonly partition: Partition
  readonly to: Position
}

const MAX_CONFIRMED = 10_000

/** Offsets that the broker keeps for a consumer in several partitions. */
export class MergedOffsets {
  readonly #offsets: ConsumerOffsets
  readonly #ends: StreamEnds
  // What a majority of the partition's members is known to have.
  readonly #confirmed = new Map<string, bigint>()

  constructor (offsets: ConsumerOffsets, ends: StreamEnds) {
    this.#offsets = offsets
    this.#ends = ends
  }

  /** @throws StreamsError naming the first partition that cannot be asked */
  async describe (partitions: readonly Partition[], consumer: string): Promise<PartitionOffset[]> {
    return await inEach(partitions, (partition) => partition, async ({ name, stream }): Promise<PartitionOffset> => {
      try {
        return { partition: name, ...await this.#offsets.describe(stream, consumer) }
      } catch (error) {
        if (!(error instanceof StreamsError && error.code === 'consumer_offset_not_found')) throw error
      }
      const [firstOffset, last] = await Promise.all([this.#ends.firstOffset(stream), this.#ends.lastMessage(stream)])
      const lag = last === undefined ? 0n : BigInt(last - firstOffset + 1)
      const nothing = { storedOffset: null, nextOffset: null, state: 'nothing_stored' } as const
      return { partition: name, ...nothing, firstOffset, lastOffset: last ?? null, lag }
    })
  }

  /**
   * Checks all offsets and then stores all. A partition in which the offset is stored already is left as it is.
   *
   * @returns what became of each partition, in the order of `commits`
   * @throws StreamsError naming the first partition whose check fails, with nothing stored; when no store works
   */
  async store (commits: readonly PartitionCommit[], consumer: string): Promise<PartitionStored[]> {
    const current = await inEach(commits, partitionOf, async ({ partition: { stream }, offset, expected }) =>
      (await this.#offsets.check(stream, consumer, offset, expected)).current)
    return await this.#change(commits, async ({ partition: { stream }, offset, expected }, index) => {
      const key = consumerKey(stream, consumer)
      const storedOffset = current[index]
      if (storedOffset === BigInt(offset) && storedOffset > 0n && this.#confirmed.get(key) === storedOffset) {
        return { storedOffset, nextOffset: this.#offsets.nextOffsetOf(stream, consumer, storedOffset) }
      }
      const stored = await this.#offsets.store(stream, consumer, offset, expected)
      if (this.#confirmed.size >= MAX_CONFIRMED) this.#confirmed.clear()
      this.#confirmed.set(key, stored.storedOffset)
      return stored
    })
  }

  /**
   * Makes the positions the next ones to be delivered: checks all and then stores all.
   *
   * @returns what became of each partition, in the order of `resets`
   * @throws as `store`
   */
  async reset (resets: readonly PartitionReset[], consumer: string): Promise<PartitionStored[]> {
    await inEach(resets, partitionOf, async ({ partition: { stream }, to }) => {
      await this.#offsets.checkReset(stream, to)
    })
    return await this.#change(resets, async ({ partition: { stream }, to }) => {
      this.#confirmed.delete(consumerKey(stream, consumer))
      return await this.#offsets.reset(stream, consumer, to)
    })
  }

  async #change<Change extends { readonly partition: Partition }> (
    changes: readonly Change[], work: (change: Change, index: number) => Promise<Stored>
  ): Promise<PartitionStored[]> {
    const results = await Promise.all(changes.map(async (change, index): Promise<PartitionStored> => {
      const { name } = change.partition
      try {
        return { partition: name, ...await work(change, index) }
      } catch (error) {
        return { partition: name, error: classify(error, 'possible').inPartition(name) }
      }
    }))
    const [first] = failuresOf(results)
    if (first !== undefined && failuresOf(results).length === results.length) throw first
    return results
  }
}

/** The errors of the partitions in which it did not work. */
export function failuresOf (results: readonly PartitionStored[]): StreamsError[] {
  return results.flatMap((result) => 'error' in result ? [result.error] : [])
}

function partitionOf ({ partition }: { readonly partition: Partition }): Partition {
  return partition
}

// Of several errors the one of the first partition is thrown.
async function inEach<Item, Result> (
  items: readonly Item[], partitionOf: (item: Item) => Partition, work: (item: Item) => Promise<Result>
): Promise<Result[]> {
  const results = await Promise.allSettled(items.map(work))
  return results.map((result, index) => {
    if (result.status === 'fulfilled') return result.value
    const item = items[index]
    const failure = classify(result.reason)
    throw item === undefined ? failure : failure.inPartition(partitionOf(item).name)
  })
}
