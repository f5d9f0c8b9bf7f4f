import type { MergedBatch } from '../merging/merged-batch.ts'
import type { MergedPolls, MergedRequest } from '../merging/merged-polls.ts'
import type { MergedFollow } from '../merging/merged-follow.ts'
import type { MergedFollowListener } from '../merging/merged-follow-options.ts'
import type { MergedFollowRequest, MergedFollows } from '../merging/merged-follows.ts'
import { chosen, type Partitions } from '../merging/partitions.ts'
import { checked } from './checked-partitions.ts'
import { forgetMissing, forgettingMissing } from './missing-partitions.ts'
import type { PartitionCheck } from './super-streams-port.ts'

export interface MergedReadingPortOptions {
  partitions: Partitions
  polls: MergedPolls
  follows: MergedFollows
}

/** Reads the partitions of super streams as one, without a consumer. Names are the API's. */
export class MergedReadingPort {
  readonly #options: MergedReadingPortOptions

  constructor (options: MergedReadingPortOptions) {
    this.#options = options
  }

  /**
   * Reads a batch. Give its memory back with `release`.
   *
   * @param check may refuse a partition
   * @param signal aborts when the caller has gone away
   * @throws StreamsError `super_stream_not_found`, `cursor_invalid`; what `ReadingPort.read` throws, when no partition
   *   can be read; the signal's reason
   */
  async read (
    superStream: string, request: MergedRequest, check: PartitionCheck, signal: AbortSignal
  ): Promise<MergedBatch> {
    const { partitions, polls } = this.#options
    const found = await partitions.find(superStream)
    for (const { name, stream } of chosen(found, request.partitions)) check(name, stream)
    const batch = await forgetMissing(partitions, superStream, async () => await polls.read(found, request, signal))
    return polls.answered(batch)
  }

  /**
   * Follows the partitions. `begin` what this returns when the listener can be told, and `close` it, whatever happens.
   *
   * @param check may refuse a partition, also one that is added later
   * @throws StreamsError what `read` throws
   */
  async follow (
    superStream: string, request: MergedFollowRequest, check: PartitionCheck, listener: MergedFollowListener,
    signal: AbortSignal
  ): Promise<MergedFollow> {
    const { partitions, follows } = this.#options
    const find = checked(partitions, superStream, request.partitions, check)
    return await forgettingMissing(partitions, superStream, async () =>
      await follows.open(await find.first(), request, { listener, ...find.again }, signal))
  }
}
