import { ReadFilter, type Position } from '../../streams/index.ts'
import type { Definition, Start } from '../definitions/definition.ts'
import { sourceOf } from '../unit.ts'
import type { PushMessage } from './push-message.ts'
import type { WorkerTask } from './worker-options.ts'

/** What a worker reads, and under which name it keeps its place. */
export interface Course {
  /** The API's name. */
  readonly stream: string
  readonly consumer: string
  /** Where it begins while nothing is stored. */
  readonly start: Position
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
export function subscriptionCourse ({ unit, subscription: { definition } }: WorkerTask): Course {
  return {
    stream: sourceOf(unit),
    consumer: definition.consumer,
    start: positionOf(definition.start),
    filter: filterOf(definition)
  }
}

function positionOf (start: Start): Position {
  if (typeof start === 'string') return { type: start }
  if ('offset' in start) return { type: 'offset', offset: start.offset }
  return { type: 'timestamp', timestamp: Date.parse(start.timestamp) }
}

function filterOf ({ filter: { filterValues: values, matchUnfiltered } }: Definition): ReadFilter | undefined {
  return values.length === 0 ? undefined : new ReadFilter({ values, matchUnfiltered, conditions: [] })
}
