import {
  asciiProperties, fieldText, type AmqpMap, type AmqpMessage, type AmqpValue, type OutgoingMessage
} from '../streams/index.ts'
import { isTracestate, parseTraceparent, type TracePoint } from '../text/traceparent.ts'

const TRACEPARENT = 'traceparent'
const TRACESTATE = 'tracestate'
const NOTHING = Buffer.alloc(0)

/**
 * The place in a trace that messages come from. It is kept as application properties named as the headers of W3C Trace
 * Context are, because clients of every protocol see those.
 */
export class TraceContext {
  readonly point: TracePoint
  /** The `tracestate`, if there is one. */
  readonly state: string | undefined
  #properties: AmqpMap | undefined
  // Of the last kind of message: a request mostly has one kind.
  #last: { readonly before: Buffer, readonly all: Buffer } | undefined

  /** @param state a valid `tracestate` */
  constructor (point: TracePoint, state?: string) {
    this.point = point
    this.state = state
  }

  /** By how many bytes it makes a message larger, at most. */
  get byteLength (): number {
    return 100 + (this.state?.length ?? 0)
  }

  /** The message with the context, unless it has one of its own. */
  addedTo (message: OutgoingMessage): OutgoingMessage {
    const { applicationProperties } = message
    if (applicationProperties === undefined || applicationProperties.length === 0) {
      return { ...message, applicationProperties: this.#asMap() }
    }
    return applicationProperties.some(([key]) => isContextKey(key))
      ? message
      : { ...message, applicationProperties: [...applicationProperties, ...this.#asMap()] }
  }

  /**
   * The sections before the body of a message, with the context.
   *
   * @param before those of the message without it: it has no application properties
   */
  after (before: Buffer = NOTHING): Buffer {
    if (this.#last?.before !== before) {
      this.#last = { before, all: Buffer.concat([before, asciiProperties(this.#pairs)]) }
    }
    return this.#last.all
  }

  #asMap (): AmqpMap {
    this.#properties ??= this.#pairs.map(([name, value]) => [stringOf(name), stringOf(value)])
    return this.#properties
  }

  get #pairs (): ReadonlyArray<readonly [name: string, value: string]> {
    const { point: { text }, state } = this
    return state === undefined ? [[TRACEPARENT, text]] : [[TRACEPARENT, text], [TRACESTATE, state]]
  }
}

/** The headers of a request that say where in a trace it is. */
interface TraceHeaders {
  readonly traceparent?: string | string[] | undefined
  readonly tracestate?: string | string[] | undefined
}

/** The context that a request came with; undefined when it has no `traceparent`, or a malformed one. */
export function traceContextOf ({ traceparent, tracestate }: TraceHeaders): TraceContext | undefined {
  if (typeof traceparent !== 'string') return undefined
  const point = parseTraceparent(traceparent)
  if (point === undefined) return undefined
  return new TraceContext(point, typeof tracestate === 'string' && isTracestate(tracestate) ? tracestate : undefined)
}

/** The context that a stored message has; undefined when it has no valid one. */
export function messageTrace ({ applicationProperties = [] }: Pick<AmqpMessage, 'applicationProperties'>):
TraceContext | undefined {
  const traceparent = textOf(applicationProperties, TRACEPARENT)
  return traceparent === undefined
    ? undefined
    : traceContextOf({ traceparent, tracestate: textOf(applicationProperties, TRACESTATE) })
}

const KEYS = { traceparent: Buffer.from(TRACEPARENT), tracestate: Buffer.from(TRACESTATE) }

/** As `messageTrace`, of a message that is not decoded. Its other parts are not looked at. */
export function entryTrace (data: Buffer, start: number, end: number): TraceContext | undefined {
  const find = (key: Buffer): string | undefined => fieldText(data, start, end, { in: 'applicationProperties', key })
  const traceparent = find(KEYS.traceparent)
  return traceparent === undefined ? undefined : traceContextOf({ traceparent, tracestate: find(KEYS.tracestate) })
}

function isContextKey (key: AmqpValue): boolean {
  return key.type === 'string' && (key.value === TRACEPARENT || key.value === TRACESTATE)
}

function textOf (properties: AmqpMap, name: string): string | undefined {
  for (const [key, value] of properties) {
    if (key.type === 'string' && key.value === name && value.type === 'string') return value.value
  }
  return undefined
}

function stringOf (value: string): AmqpValue {
  return { type: 'string', value }
}
