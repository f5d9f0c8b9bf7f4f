import { StreamsError } from '../errors.ts'
import type { MergedBatch } from '../merging/merged-batch.ts'
import type { Partitions } from '../merging/partitions.ts'

/** Does a read. When a partition turns out not to exist, the next read asks again which ones there are. */
export async function forgetMissing (
  partitions: Partitions, superStream: string, read: () => Promise<MergedBatch>
): Promise<MergedBatch> {
  try {
    const batch = await read()
    if (batch.unavailable.some(({ error }) => isMissing(error))) partitions.forget(superStream)
    return batch
  } catch (error) {
    if (isMissing(error)) partitions.forget(superStream)
    throw error
  }
}

function isMissing (error: unknown): boolean {
  return error instanceof StreamsError && error.code === 'stream_not_found'
}
