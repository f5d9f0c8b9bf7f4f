import type { Broker } from '../../streams/index.ts'
import { readEntry, type EntryFacts, type ErrorEntry } from './error-entry.ts'

// An owner stores its offset after each entry, so the one that it could not store behind is among the last ones, also
// when other subscriptions write into the same stream.
const TAIL_OFFSETS = 2000
const READ = { limit: 500, maxBytes: 4 * 1024 * 1024, waitMs: 0 }

/**
 * Whether an entry is among the last ones of an error stream.
 *
 * @throws StreamsError, the signal's reason
 */
export async function isInTail (
  reading: Broker['reading'], errorStream: string, facts: EntryFacts, signal: AbortSignal
): Promise<boolean> {
  const last = await reading.read(errorStream, { from: { type: 'last' }, limit: 1, maxBytes: 1, waitMs: 0 }, signal)
  const { lastOffset } = last
  last.release()
  if (lastOffset === undefined) return false
  for (let offset = Math.max(0, lastOffset - TAIL_OFFSETS + 1); offset <= lastOffset;) {
    const batch = await reading.read(errorStream, { from: { type: 'offset', offset }, ...READ }, signal)
    try {
      if (batch.messages.some(({ bytes }) => isThis(readEntry(bytes), facts))) return true
      if (batch.endOfStream || batch.nextOffset <= offset) return false
      offset = batch.nextOffset
    } finally {
      batch.release()
    }
  }
  return false
}

// A stream that was created anew has the same offsets, and other times.
function isThis (entry: ErrorEntry | undefined, { owner, origin, redrive }: EntryFacts): boolean {
  return entry !== undefined &&
    entry.origin.offset === origin.offset && entry.origin.timestamp === origin.timestamp &&
    entry.origin.stream === origin.stream && entry.owner.subscription === owner.subscription &&
    entry.owner.superStream === owner.superStream && entry.redrive === redrive
}
