import { ReadFilter, type Position } from '../../streams/index.ts'
import type { Definition, Start } from '../definitions/definition.ts'
import type { Subscription } from '../definitions/definitions.ts'
import { sourceOf, type Unit } from '../unit.ts'
import type { PushMessage } from './push-message.ts'
import type { WorkerTask } from './worker-options.ts'

/** What a worker reads, and under which name it keeps its place. */
export interface Course {
  /** The API's name. */
  readonly stream: string
  readonly consumer: string
  /** Where it begins while nothing is stored. */
  readonly start: Position
  /** Where it begins when the stream ends before the start: it was created anew. Not given: it waits for the start. */
  readonly otherwise?: Position
  /** Only messages that it matches; undefined: all. */
  readonly filter: ReadFilter | undefined
  /** What is delivered in place of a message, if it is delivered. Not given: the message itself. */
  readonly replace?: (message: PushMessage) => PushMessage | undefined
  /** Messages have been in several streams at first, so a request carries one of them. */
  readonly isMixed?: boolean
  /** It ends before this offset; undefined: never. */
  readonly end?: number
}

/** The course of a subscription of a stream, or of one of the partitions of a super stream. */
export function subscriptionCourse ({ unit, subscription }: WorkerTask): Course {
  const { definition } = subscription
  return {
    stream: sourceOf(unit),
    consumer: definition.consumer,
    ...beginOf(unit, subscription),
    filter: filterOf(definition)
  }
}

function beginOf ({ partition }: Unit, { definition: { start }, starts }: Subscription) {
  if (start !== 'next' && start !== 'last') return { start: positionOf(start) }
  const offset = Object.hasOwn(starts, partition) ? starts[partition] : undefined
  const first: Position = { type: 'first' }
  if (offset !== undefined) return { start: { type: 'offset', offset } satisfies Position, otherwise: first }
  // All that is in a partition which was added came after the subscription.
  return { start: Object.keys(starts).length > 0 ? first : positionOf(start) }
}

function positionOf (start: Start): Position {
  if (typeof start === 'string') return { type: start }
  if ('offset' in start) return { type: 'offset', offset: start.offset }
  return { type: 'timestamp', timestamp: Date.parse(start.timestamp) }
}

function filterOf ({ filter: { filterValues: values, matchUnfiltered } }: Definition): ReadFilter | undefined {
  return values.length === 0 ? undefined : new ReadFilter({ values, matchUnfiltered, conditions: [] })
}
