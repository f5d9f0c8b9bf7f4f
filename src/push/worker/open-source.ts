import { StreamsError } from '../../streams/index.ts'
import type { Course } from './course.ts'
import type { Progress } from './progress.ts'
import type { Source } from './source.ts'

export interface Opening {
  readonly source: Source
  readonly course: Course
  readonly progress: Progress
  /** See `WorkerTask.reached`. */
  readonly reached: number | undefined
  /** Told how many messages retention has removed. */
  readonly missed: (count: number) => void
}

/**
 * Opens the source where the consumer is. Without a stored offset it begins by the definition, and its place is stored.
 *
 * @returns `moved`: another program has stored an offset, and the worker was told
 * @throws StreamsError; the signal's reason
 */
export async function openSource (opening: Opening, signal: AbortSignal): Promise<'moved' | undefined> {
  const { source, course, progress, missed } = opening
  const found = await progress.place()
  if (found === 'moved') return found
  // A stored 0 may mean that message 0 is processed. What the owner before has said tells which.
  const place = found === 0 && opening.reached === 1 ? 1 : found
  if (place !== undefined) {
    if (await isOpen(source, place, signal)) {
      progress.begin(place)
      return undefined
    }
    // A stream that was deleted and created anew has no stored offsets.
    if (progress.isStored) {
      throw new StreamsError(
        'stream_not_available',
        `the stored offset is ${place - 1}, which the stream does not have yet: reset the subscription`
      )
    }
    progress.forget()
  }
  const reached = progress.reachedUntilNow ?? opening.reached ?? 0
  const first = reached > 0 ? await source.open({ type: 'first' }, signal) : 0
  // The broker forgets the offset of a consumer that retention has passed. A stream that was created anew begins at 0.
  if (first > 0 && await isOpen(source, Math.max(reached, first), signal)) {
    if (first > reached) missed(first - reached)
    progress.begin(Math.max(reached, first), false)
    return undefined
  }
  progress.forget()
  const next = await openStart(source, course, signal)
  progress.begin(next, course.start.type === 'first')
  await progress.store()
  return undefined
}

async function openStart (source: Source, { start, otherwise }: Course, signal: AbortSignal): Promise<number> {
  if (start.type !== 'offset' || otherwise === undefined) return await source.open(start, signal)
  return await isOpen(source, start.offset, signal) ? source.position : await source.open(otherwise, signal)
}

// False when the stream does not reach that far.
async function isOpen (source: Source, offset: number, signal: AbortSignal): Promise<boolean> {
  try {
    await source.open({ type: 'offset', offset }, signal)
    return true
  } catch (error) {
    if (error instanceof StreamsError && error.code === 'offset_out_of_range') return false
    throw error
  }
}
