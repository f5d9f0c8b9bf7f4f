import { refuseUnsendable, type AmqpMap, type AmqpValue, type OutgoingMessage } from '../../streams/index.ts'
import { isTracestate, parseTraceparent } from '../../text/traceparent.ts'
import type { Destination } from '../json-message.ts'
import { refuseBadRoutingKey } from '../routing-key.ts'
import { TraceContext } from '../trace-context.ts'
import type { Attributes, AttributeValue } from './attributes.ts'
import { EVENT_TYPE } from './event-types.ts'

/** What the names of application properties begin with that are attributes of an event. `:` is an older form. */
export const PREFIXES = ['cloudEvents_', 'cloudEvents:'] as const

/** An event that has been checked. */
export interface Event {
  readonly attributes: Attributes
  /** The bytes of its data; none when it has no data. */
  readonly data: Uint8Array
  /** The event as JSON, where its data are an event: stored in binary mode, its readers would find that one. */
  readonly whole?: Uint8Array | undefined
}

/** Where events go. */
export type EventDestination =
  Pick<Destination, 'batch' | 'filterValue' | 'trace' | 'isRouted'> & { readonly frameMaxBytes: number }

/** By which extension an event finds its partition of a super stream. */
const PARTITION_KEY = 'partitionkey'

/**
 * Adds an event to a batch, in the binary mode of the AMQP protocol binding for CloudEvents. One whose data are an
 * event is added in the structured mode.
 *
 * @param index of the event in its request
 * @param pointerOf the pointer of an attribute, by its name
 * @throws MessageFormatError
 * @throws StreamsError `message_too_large`
 */
export function addEvent (
  event: Event, to: EventDestination,
  place: { readonly index: number, readonly publishingId: number | undefined, pointerOf: (name: string) => string }
): void {
  const { attributes } = event
  const own = messageOf(event)
  refuseUnsendable(place.index, own.body.length, to.frameMaxBytes)
  const message = (traceOf(attributes) ?? to.trace)?.addedTo(own) ?? own
  to.batch.add(to.filterValue?.addedTo(message) ?? message, place.publishingId, to.filterValue?.bytes)
  const key = attributes.get(PARTITION_KEY)
  if (to.isRouted !== true || key === undefined) return
  refuseBadRoutingKey(String(key), place.pointerOf(PARTITION_KEY))
  to.batch.routeLast(String(key))
}

// The binding allows the attributes beside an event that is stored as a whole: filters find it by them.
function messageOf ({ attributes, data, whole }: Event): OutgoingMessage & { readonly body: Uint8Array } {
  const properties: Array<AmqpMap[number]> = []
  let contentType: string | undefined
  for (const [name, value] of attributes) {
    if (name === 'datacontenttype') contentType = String(value)
    else properties.push([{ type: 'string', value: `${PREFIXES[0]}${name}` }, valueOf(value)])
  }
  return whole === undefined
    ? { properties: { contentType }, applicationProperties: properties, body: data }
    : { properties: { contentType: EVENT_TYPE }, applicationProperties: properties, body: whole }
}

// A time stays a text: AMQP's own would lose what is below the millisecond, and the offset from UTC.
function valueOf (value: AttributeValue): AmqpValue {
  switch (typeof value) {
    case 'string': return { type: 'string', value }
    case 'boolean': return { type: 'boolean', value }
    default: return { type: 'long', value: BigInt(value) }
  }
}

// The extension for distributed tracing, where its values are those of W3C Trace Context.
function traceOf (attributes: Attributes): TraceContext | undefined {
  const traceparent = attributes.get('traceparent')
  const point = typeof traceparent === 'string' ? parseTraceparent(traceparent) : undefined
  if (point === undefined) return undefined
  const state = attributes.get('tracestate')
  return new TraceContext(point, typeof state === 'string' && isTracestate(state) ? state : undefined)
}
