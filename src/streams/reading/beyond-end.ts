import { StreamsError } from '../errors.ts'
import type { StreamEnds } from '../topology/stream-ends.ts'

/**
 * The broker attaches a subscription beyond the end at the end, and does not say so.
 *
 * @param knownEnd the offset that the stream reaches at least
 * @throws StreamsError `offset_out_of_range`
 */
export async function refuseBeyondEnd (
  ends: StreamEnds, stream: string, offset: number, knownEnd: number
): Promise<void> {
  if (offset <= knownEnd || offset <= await ends.committedChunkId(stream)) return
  const { firstOffset, nextOffset } = await ends.bounds(stream)
  if (offset <= nextOffset) return
  const lastOffset = (await ends.lastMessage(stream)) ?? null
  throw new StreamsError(
    'offset_out_of_range',
    `the stream ends before offset ${offset}: the next offset is ${nextOffset}`,
    { details: { firstOffset, lastOffset } }
  )
}
