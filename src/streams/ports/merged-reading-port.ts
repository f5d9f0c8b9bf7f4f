import type { MergedBatch } from '../merging/merged-batch.ts'
import type { MergedPolls, MergedRequest } from '../merging/merged-polls.ts'
import { chosen, type Partitions } from '../merging/partitions.ts'
import { forgetMissing } from './missing-partitions.ts'
import type { PartitionCheck } from './super-streams-port.ts'

export interface MergedReadingPortOptions {
  partitions: Partitions
  polls: MergedPolls
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
}
