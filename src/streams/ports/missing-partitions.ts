import { StreamsError } from '../errors.ts'
import type { MergedBatch } from '../merging/merged-batch.ts'
import type { Partitions } from '../merging/partitions.ts'

/** Does a read. When a partition turns out not to exist, the next read asks again which ones there are. */
export async function forgetMissing (
  partitions: Partitions, superStream: string, read: () => Promise<MergedBatch>
): Promise<MergedBatch> {
  return await forgettingMissing(partitions, superStream, async () => {
    const batch = await read()
    if (batch.unavailable.some(({ error }) => isMissing(error))) partitions.forget(superStream)
    return batch
  })
}

/** Does what a partition may turn out not to exist for. */
export async function forgettingMissing<Result> (
  partitions: Partitions, superStream: string, work: () => Promise<Result>
): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    if (isMissing(error)) partitions.forget(superStream)
    throw error
  }
}

function isMissing (error: unknown): boolean {
  return error instanceof StreamsError && error.code === 'stream_not_found'
}
