import { classify } from '../classify.ts'
import { Deadline } from '../common/deadline.ts'
import type { Position } from '../offset.ts'
import type { Polls, ReadRequest } from '../reading/polls.ts'
import { decodeCursor, nameOf, type Cursor } from './cursor.ts'
import type { MergedBatch } from './merged-batch.ts'
import { MergedRead, type MergedPlan } from './merged-read.ts'
import type { StartedPartition } from './partition-state.ts'
import { chosen, type Partition, type SuperStream } from './partitions.ts'

/** Where a merged read starts: at a cursor of an earlier answer, or at the same position of every partition. */
export type MergedStart = { readonly type: 'cursor', readonly cursor: string } | Position

/** As `ReadRequest`; `limit` and `maxBytes` are for all partitions together. */
export interface MergedRequest extends Omit<ReadRequest, 'from'> {
  readonly from: MergedStart
  /** The API's names of the partitions to read; undefined: all. */
  readonly partitions?: readonly string[] | undefined
}

/** Reads the partitions of super streams as one. */
export class MergedPolls {
  readonly #polls: Polls

  constructor (polls: Polls) {
    this.#polls = polls
  }

  get isDraining (): boolean {
    return this.#polls.isDraining
  }

  /**
   * Reads a batch. Give its memory back with `release`.
   *
   * @throws StreamsError `cursor_invalid`; what `Polls.read` throws, when no partition can be read; the signal's reason
   */
  async read (superStream: SuperStream, request: MergedRequest, signal: AbortSignal): Promise<MergedBatch> {
    const { from, partitions, ...amount } = request
    return await this.readFrom(superStream, await this.plan(superStream, partitions, from), amount, signal)
  }

  /**
   * Where each partition is read from.
   *
   * @param names see `MergedRequest`
   * @throws StreamsError `cursor_invalid`, `stream_not_found`, ...
   */
  async plan (superStream: SuperStream, names: readonly string[] | undefined, from: MergedStart): Promise<MergedPlan> {
    const partitions = chosen(superStream, names)
    return from.type === 'cursor'
      ? await this.#resume(superStream, partitions, decodeCursor(superStream.name, from.cursor))
      : planOf(await this.#start(partitions, from))
  }

  /** Reads a batch from known places. @throws as `read` */
  async readFrom (
    superStream: SuperStream, plan: MergedPlan, amount: Omit<ReadRequest, 'from'>, signal: AbortSignal
  ): Promise<MergedBatch> {
    const read = new MergedRead(superStream.name, plan, amount, this.#polls, signal)
    return await read.toEnd(new Deadline(amount.waitMs))
  }

  /** Counts messages that answer a request. */
  answered (batch: MergedBatch): MergedBatch {
    for (const { stream, count } of batch.counts) this.#polls.delivered(stream, count)
    return batch
  }

  // A partition that the cursor does not know was added since.
  async #resume (
    { name, partitions: all }: SuperStream, partitions: readonly Partition[], { places, turn }: Cursor
  ): Promise<MergedPlan> {
    const known = new Map(places.map(({ key, nextOffset }) => [key, nextOffset]))
    const keys = new Set(all.map(({ key }) => key))
    const wanted = partitions === all ? keys : new Set(partitions.map(({ key }) => key))
    const started = await Promise.all(partitions.map(async (partition): Promise<StartedPartition> =>
      ({ partition, offset: known.get(partition.key) ?? await this.#resolve(partition, { type: 'first' }) })))
    return {
      partitions: started,
      otherPlaces: places.filter(({ key }) => keys.has(key) && !wanted.has(key)),
      turn,
      gaps: places.filter(({ key }) => !keys.has(key)).map(({ key, nextOffset }) =>
        ({ partition: nameOf(name, key) ?? null, from: nextOffset, to: null })),
      unavailable: []
    }
  }

  async #start (partitions: readonly Partition[], from: Position): Promise<readonly StartedPartition[]> {
    return await Promise.all(partitions.map(async (partition) =>
      ({ partition, offset: await this.#resolve(partition, from) })))
  }

  // The place of every partition has to be known, or the next read would not continue from there. Of one that cannot
  // be asked only the beginning is known.
  async #resolve ({ name, stream }: Partition, from: Position): Promise<number> {
    try {
      return await this.#polls.resolve(stream, from)
    } catch (error) {
      if (from.type === 'first') return 0
      throw classify(error).inPartition(name)
    }
  }
}

function planOf (partitions: readonly StartedPartition[]): MergedPlan {
  return { partitions, otherPlaces: [], turn: 0, gaps: [], unavailable: [] }
}
