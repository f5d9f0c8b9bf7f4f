import { Deadline } from '../common/deadline.ts'
import { within } from '../common/wait.ts'
import { errorOf } from '../ended.ts'
import type { StreamEnds } from '../topology/stream-ends.ts'
import type { Reader } from './reader.ts'
import type { SearchRun } from './search.ts'

/**
 * What follows the window of a reader. `more`: something has arrived. `end`: when the answer was made there was
 * nothing. `lagging`: the leader has more than the replica that is read from. `late`: the broker still looks for chunks
 * that match.
 */
export type Ahead = 'more' | 'end' | 'lagging' | 'late'

type Stats = ReadonlyMap<string, bigint>

// A replica learns what is committed a moment after its leader.
const REPLICA_LAG_MS = 1000
const REPLICA_PAUSE_MS = 20

/**
 * Looks what there is at a position that the reader has not gone beyond. Afterwards a reader with a filter has the
 * position up to which the broker has left out everything that was not delivered.
 *
 * @param search bounds how long the broker may look for chunks
 * @throws StreamsError when the reader ends; the signal's reason
 */
export async function lookAhead (
  reader: Reader, position: number, ends: StreamEnds, signal?: AbortSignal, search?: SearchRun
): Promise<Ahead> {
  const lag = new Deadline(REPLICA_LAG_MS)
  // Behind a filter only a fence that is behind another one tells how far the broker has come: what was committed at
  // the first has been looked at by the end of the second.
  let before: Stats | undefined
  for (let isCaughtUp = reader.isOnLeader && !reader.isFiltered; ;) {
    const { arrivals } = reader
    const stats = await fence(reader, signal, search)
    throwIfOver(reader, signal)
    if (reader.arrivals !== arrivals || reader.position > position) return 'more'
    if (stats === undefined) return 'late'
    if (reader.isFiltered && before !== undefined) reader.scannedTo(committedEnd(before))
    if (isCaughtUp) return 'end'
    before = stats
    // The replica had no more. Only the leader can say whether the stream has. What the replica has by then arrives
    // before the next fence ends.
    isCaughtUp = reader.isOnLeader || committedChunkId(stats) >= await ends.committedChunkId(reader.stream)
    if (isCaughtUp) continue
    if (lag.hasPassed) return 'lagging'
    await reader.news(REPLICA_PAUSE_MS, signal)
  }
}

/** @throws StreamsError when the reader is of no more use; the signal's reason */
export function throwIfOver (reader: Reader, signal: AbortSignal | undefined): void {
  if (reader.ended !== undefined) throw errorOf(reader.ended)
  signal?.throwIfAborted()
}

// Undefined when the broker looks for longer than a search may take: the next poll waits for the rest.
async function fence (
  reader: Reader, signal: AbortSignal | undefined, search: SearchRun | undefined
): Promise<Stats | undefined> {
  if (search === undefined || !reader.isFiltered) return await reader.fence()
  return await within(reader.fence(), { timeoutMs: search.remainingMs, signal })
}

function committedChunkId (stats: Stats): number {
  return Number(stats.get('committed_chunk_id') ?? -1n)
}

// The offset after what is committed. Before RabbitMQ 4.3 only the first offset of the last chunk is known.
function committedEnd (stats: Stats): number {
  return Number(stats.get('committed_offset') ?? committedChunkId(stats)) + 1
}
