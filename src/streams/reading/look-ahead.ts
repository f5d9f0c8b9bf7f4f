import { Deadline } from '../common/deadline.ts'
import { errorOf } from '../ended.ts'
import type { StreamEnds } from '../topology/stream-ends.ts'
import type { Reader } from './reader.ts'

// A replica learns what is committed a moment after its leader.
const REPLICA_LAG_MS = 1000
const REPLICA_PAUSE_MS = 20

/**
 * What follows the window of a reader. `more`: something has arrived. `end`: there was nothing. `lagging`: the leader
 * has more than the replica that is read from.
 *
 * @throws StreamsError when the reader ends; the signal's reason
 */
export async function lookAhead (
  reader: Reader, position: number, ends: StreamEnds, signal?: AbortSignal
): Promise<'more' | 'end' | 'lagging'> {
  const lag = new Deadline(REPLICA_LAG_MS)
  for (let isCaughtUp = reader.isOnLeader; ;) {
    const arrivals = reader.arrivals
    const stats = await reader.fence()
    throwIfOver(reader, signal)
    if (reader.arrivals !== arrivals || reader.position > position) return 'more'
    if (isCaughtUp) return 'end'
    // The replica had no more. Only the leader can say whether the stream has. What the replica has by then arrives
    // before the next fence ends.
    const committedChunkId = await ends.committedChunkId(reader.stream)
    isCaughtUp = Number(stats.get('committed_chunk_id') ?? -1n) >= committedChunkId
    if (isCaughtUp) continue
    if (lag.hasPassed) return 'lagging'
    await reader.news(REPLICA_PAUSE_MS, signal)
  }
}

function throwIfOver (reader: Reader, signal: AbortSignal | undefined): void {
  if (reader.ended !== undefined) throw errorOf(reader.ended)
  signal?.throwIfAborted()
}
