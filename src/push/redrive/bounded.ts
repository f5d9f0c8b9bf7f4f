import { StreamsError, type Broker } from '../../streams/index.ts'
import type { RedriveRequest, SubscriptionKey } from '../definitions/definitions.ts'
import { readEntry } from '../errors/error-entry.ts'
import { isWanted } from './redrive-course.ts'

const READ = { limit: 1000, maxBytes: 4 * 1024 * 1024, waitMs: 0 }

/**
 * The request with an end that is an entry, and that keeps its limit. The records of the broker at the end of a stream
 * have offsets too, but no reader comes there. The limit is counted before the redrive begins, because an instance that
 * takes a redrive over does not know how many entries it has had.
 *
 * @throws StreamsError `offset_beyond_end` when there is no entry from `from` on; the signal's reason
 */
export async function bounded (
  reading: Broker['reading'], errorStream: string, key: SubscriptionKey, asked: RedriveRequest, signal: AbortSignal
): Promise<RedriveRequest> {
  const request = { ...asked, to: Math.min(asked.to, await lastEntry(reading, errorStream, asked.from, signal)) }
  if (request.limit === null) return request
  let left = request.limit
  for (let offset = request.from; offset <= request.to;) {
    const batch = await reading.read(errorStream, { from: { type: 'offset', offset }, ...READ }, signal)
    try {
      for (const { bytes, offset: at } of batch.messages) {
        const entry = readEntry(bytes)
        if (entry === undefined || !isWanted(entry, key, request)) continue
        if (--left === 0) return { ...request, to: Math.min(at, request.to) }
      }
      if (batch.endOfStream || batch.nextOffset <= offset) break
      offset = batch.nextOffset
    } finally {
      batch.release()
    }
  }
  return request
}

async function lastEntry (
  reading: Broker['reading'], errorStream: string, from: number, signal: AbortSignal
): Promise<number> {
  const batch = await reading.read(errorStream, { from: { type: 'last' }, limit: 1, maxBytes: 1, waitMs: 0 }, signal)
  const { lastOffset, nextOffset } = batch
  batch.release()
  if (lastOffset !== undefined && lastOffset >= from) return lastOffset
  throw new StreamsError('offset_beyond_end', `the error stream "${errorStream}" has no entry from ${from} on`, {
    details: { nextOffset }
  })
}
