import { entryTrace, type DeliverySpan, type DeliverySpans, type TraceContext } from '../../messages/index.ts'
import { ENTRY_LENGTH_BYTES } from '../../streams/index.ts'
import type { Attempt } from '../endpoint/attempt.ts'
import type { EndpointRequest } from '../endpoint/endpoints.ts'
import type { PushMessage } from './push-message.ts'

/** Where in a trace a request belongs. */
export interface RequestTrace {
  /** The request with the headers by which its receiver continues the trace. */
  readonly request: EndpointRequest
  /** @param answer what came of the request */
  readonly end?: (answer: Attempt) => void
}

/**
 * The traces of the requests of a worker. Where spans are made each request has one, which is linked to its messages.
 * Without spans a request of one message continues the trace of that message, and one of several none.
 */
export class RequestTraces {
  readonly #spans: DeliverySpans | undefined
  readonly #reader: { readonly stream: string, readonly consumer: string }

  /** @param reader the API's name of the stream, and in whose name its messages are read */
  constructor (spans: DeliverySpans | undefined, reader: { readonly stream: string, readonly consumer: string }) {
    this.#spans = spans
    this.#reader = reader
  }

  /** The request is sent next. */
  begin (request: EndpointRequest, messages: readonly PushMessage[]): RequestTrace {
    if (this.#spans === undefined) return { request: continued(request, messages) }
    const { stream, consumer } = this.#reader
    const span = this.#spans.begin({ stream, consumer, count: messages.length, contexts: contextsOf(messages) })
    return {
      request: withHeaders(request, span.headers),
      end ({ failure, status = failure }) { span.end(failure === undefined ? undefined : String(status)) }
    }
  }
}

function continued (request: EndpointRequest, messages: readonly PushMessage[]): EndpointRequest {
  const [first, ...others] = messages
  const context = first === undefined || others.length > 0 ? undefined : contextOf(first)
  return context === undefined
    ? request
    : withHeaders(request, { traceparent: context.point.text, tracestate: context.state })
}

function withHeaders (request: EndpointRequest, { traceparent, tracestate }: DeliverySpan['headers']): EndpointRequest {
  const headers = [...request.headers, 'traceparent', traceparent]
  if (tracestate !== undefined) headers.push('tracestate', tracestate)
  return { ...request, headers }
}

function * contextsOf (messages: readonly PushMessage[]): Generator<TraceContext | undefined> {
  for (const message of messages) yield contextOf(message)
}

function contextOf ({ place }: PushMessage): TraceContext | undefined {
  // The length of the message stands first.
  return place.kind === 'run' ? entryTrace(place.data, place.start + ENTRY_LENGTH_BYTES, place.end) : undefined
}
