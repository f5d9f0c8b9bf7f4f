import {
  createTraceState, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, type Attributes, type Context, type Link, type Span,
  type Tracer
} from '@opentelemetry/api'
import type { FastifyRequest } from 'fastify'
import type { TraceHeaders } from '../../http/trace-headers.ts'
import { entryTrace, traceContextOf, type TraceContext } from '../../messages/index.ts'
import { ENTRY_LENGTH_BYTES, type ReadPiece } from '../../streams/index.ts'
import { namesOf, operationIdOf, pathOf } from '../requests.ts'
import { ATTRIBUTES, SYSTEM, VERBS, type OperationType, type Verb } from './names.ts'

// Of the messages of a read or of a delivery. A collector would drop more.
const MAX_LINKS = 32
const CLIENT_GONE = 'client_gone'
const TO_COLLECTOR = { send: SpanKind.PRODUCER, receive: SpanKind.CLIENT, settle: SpanKind.CLIENT } as const

/** The spans of one request: that of the request, and that of what it does with messages. */
export class RequestSpan {
  readonly #tracer: Tracer
  readonly #request: FastifyRequest
  readonly #virtualHost: string
  readonly #server: Span
  readonly #context: Context
  #messages: Span | undefined
  #beganMs = 0
  #hasFailed = false

  constructor (tracer: Tracer, request: FastifyRequest, virtualHost: string) {
    const { method, routeOptions: { url }, headers } = request
    this.#tracer = tracer
    this.#request = request
    this.#virtualHost = virtualHost
    const route = url === undefined ? {} : { [ATTRIBUTES.route]: url }
    this.#server = tracer.startSpan(url === undefined ? method : `${method} ${url}`, {
      kind: SpanKind.SERVER,
      attributes: {
        [ATTRIBUTES.method]: method,
        [ATTRIBUTES.scheme]: request.protocol,
        [ATTRIBUTES.path]: pathOf(request),
        ...route
      }
    }, contextOf(traceContextOf({ traceparent: headers['traceparent'], tracestate: headers['tracestate'] })))
    this.#context = trace.setSpan(ROOT_CONTEXT, this.#server)
  }

  /** What the messages of the request, and its lines in the log, are told of the trace. */
  get headers (): TraceHeaders {
    return headersOf(this.#messages ?? this.#server)
  }

  /** The work on messages begins. A read has its span only when it is known what was read. */
  begin (): void {
    const verb = this.#verb()
    this.#beganMs = Date.now()
    if (verb === 'send' || verb === 'settle') this.#messages = this.#start(verb)
  }

  /** Messages were read. */
  received (pieces: readonly ReadPiece[], count: number): void {
    if (this.#messages !== undefined || !this.#server.isRecording()) return
    this.#messages = this.#start('receive', linksOf(contextsOf(pieces)))
    this.#count(count)
  }

  /** An answer to a publish is known. @param count of messages whose outcome it has; undefined without any */
  published (count: number | undefined): void {
    if (count !== undefined) this.#count(count)
  }

  /** The request failed, with this code. */
  failed (code: string, status: number): void {
    this.#hasFailed = true
    if (this.#messages === undefined && this.#verb() === 'receive' && this.#beganMs > 0) {
      this.#messages = this.#start('receive')
    }
    for (const span of [this.#messages, this.#server]) span?.setAttribute(ATTRIBUTES.error, code)
    this.#messages?.setStatus({ code: SpanStatusCode.ERROR })
    // A mistake of the client is not an error of the server.
    if (status >= 500) this.#server.setStatus({ code: SpanStatusCode.ERROR })
  }

  /** The work on messages is done: the answer is sent next. */
  endWork (): void {
    this.#messages?.end()
  }

  /**
   * The request is over. What comes later changes nothing.
   *
   * @param status undefined when the client is gone
   */
  end (status: number | undefined): void {
    const error = status === undefined ? CLIENT_GONE : status >= 400 && !this.#hasFailed ? String(status) : undefined
    for (const span of [this.#messages, this.#server]) {
      if (span?.isRecording() !== true) continue
      if (error !== undefined) span.setAttribute(ATTRIBUTES.error, error)
      if (span === this.#server && status !== undefined) span.setAttribute(ATTRIBUTES.status, status)
      span.end()
    }
  }

  #verb (): Verb | undefined {
    return VERBS[operationIdOf(this.#request) ?? '']?.verb
  }

  #count (count: number): void {
    if (VERBS[operationIdOf(this.#request) ?? '']?.isBatch === true) {
      this.#messages?.setAttribute(ATTRIBUTES.batchCount, count)
    }
  }

  #start (verb: Verb, links: Link[] = []): Span {
    const { stream, superStream, consumer } = namesOf(this.#request)
    const destination = stream ?? superStream ?? ''
    const attributes = { ...messaging(verb, destination, this.#virtualHost) }
    if (consumer !== undefined) attributes[ATTRIBUTES.consumer] = consumer
    const options = { kind: TO_COLLECTOR[verb], attributes, links, startTime: this.#beganMs }
    return this.#tracer.startSpan(`${verb} ${destination}`, options, this.#context)
  }
}

/** The attributes that every span of messaging has. */
export function messaging (verb: OperationType, destination: string, virtualHost: string): Attributes {
  return {
    [ATTRIBUTES.system]: SYSTEM,
    [ATTRIBUTES.destination]: destination,
    [ATTRIBUTES.operationName]: verb,
    [ATTRIBUTES.operationType]: verb,
    [ATTRIBUTES.virtualHost]: virtualHost
  }
}

/** The headers that continue a trace behind a span. */
export function headersOf (span: Span): { readonly traceparent: string, readonly tracestate: string | undefined } {
  const { traceId, spanId, traceFlags, traceState } = span.spanContext()
  const state = traceState?.serialize()
  const flags = traceFlags.toString(16).padStart(2, '0')
  return { traceparent: `00-${traceId}-${spanId}-${flags}`, tracestate: state === '' ? undefined : state }
}

/** A link to the place in a trace that a message comes from. */
function linkTo ({ point: { traceId, spanId, isSampled } }: TraceContext): Link {
  return { context: { traceId, spanId, traceFlags: Number(isSampled), isRemote: true } }
}

/** Links to where the first 32 messages come from. */
export function linksOf (contexts: Iterable<TraceContext | undefined>): Link[] {
  const links: Link[] = []
  let seen = 0
  for (const context of contexts) {
    if (context !== undefined) links.push(linkTo(context))
    if (++seen === MAX_LINKS) break
  }
  return links
}

function contextOf (from: TraceContext | undefined): Context {
  if (from === undefined) return ROOT_CONTEXT
  const { context } = linkTo(from)
  const traceState = from.state === undefined ? undefined : createTraceState(from.state)
  return trace.setSpanContext(ROOT_CONTEXT, traceState === undefined ? context : { ...context, traceState })
}

function * contextsOf (pieces: readonly ReadPiece[]): Generator<TraceContext | undefined> {
  for (const piece of pieces) {
    if (piece.kind === 'unreadable') continue
    const { data, start, count } = piece
    for (let index = 0, at = start; index < count; index++) {
      const from = at + ENTRY_LENGTH_BYTES
      at = from + data.readUInt32BE(at)
      yield entryTrace(data, from, at)
    }
  }
}
