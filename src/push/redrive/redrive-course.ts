import { ENTRY_LENGTH_BYTES } from '../../streams/index.ts'
import type { Redrive, RedriveRequest, SubscriptionKey } from '../definitions/definitions.ts'
import { readEntry, type ErrorEntry } from '../errors/error-entry.ts'
import type { Course } from '../worker/course.ts'
import { copyOf, type PushMessage } from '../worker/push-message.ts'
import type { WorkerTask } from '../worker/worker-options.ts'

/** The consumer under which a redrive keeps its place in the error stream. */
export function redriveConsumer (subscription: string, id: string): string {
  return `push.${subscription}.redrive.${id}`
}

/**
 * The course of a redrive: a part of the error stream, and of it the entries of the subscription. What is delivered is
 * the message that has failed, as it was in its stream. Undefined when the subscription has no such redrive.
 */
export function redriveCourse ({ unit: { key, redrive: id }, subscription }: WorkerTask): Course | undefined {
  const redrive = subscription.redrives.find((known: Redrive) => known.id === id)
  if (redrive === undefined) return undefined
  const { request } = redrive
  return {
    stream: subscription.definition.errorStream,
    consumer: redriveConsumer(key.subscription, id),
    start: { type: 'offset', offset: request.from },
    end: request.to + 1,
    filter: undefined,
    replace: (message) => {
      const entry = readEntry(message.bytes)
      return entry !== undefined && isWanted(entry, key, request) ? originalOf(message, entry) : undefined
    },
    // Messages of several partitions have no offsets in common.
    ...(key.source === 'superStream' && { isMixed: true })
  }
}

/** Whether an entry of an error stream belongs to a redrive. */
export function isWanted (
  { owner, origin, failure, status }: ErrorEntry, { source, stream, subscription }: SubscriptionKey,
  request: Pick<RedriveRequest, 'class' | 'status'>
): boolean {
  if (owner.subscription !== subscription) return false
  const isOurs = source === 'superStream'
    ? owner.superStream === stream
    : owner.superStream === '' && origin.stream === stream
  if (!isOurs) return false
  return (request.class === null || request.class === failure) && (request.status === null || request.status === status)
}

// The message has the offset of the entry, with which the redrive counts, and the origin that the entry names.
function originalOf ({ offset, lastOffset }: PushMessage, { original, origin }: ErrorEntry): PushMessage | undefined {
  const data = Buffer.allocUnsafe(ENTRY_LENGTH_BYTES + original.length)
  data.set(original, data.writeUInt32BE(original.length))
  const { timestamp } = origin
  const [copy] = copyOf([{ kind: 'run', offset, timestamp, data, start: 0, end: data.length, count: 1 }])
  return copy && { ...copy, lastOffset, origin }
}
