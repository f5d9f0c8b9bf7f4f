import type { TraceContext } from './trace-context.ts'

/** A request that delivers messages to a receiver of theirs, such as a webhook. */
export interface Delivery {
  readonly stream: string
  /** In whose name the messages are read. */
  readonly consumer: string
  /** How many messages the request carries. */
  readonly count: number
  /** Where in a trace each of them comes from, as far as it is asked; undefined for one without a trace. */
  readonly contexts: Iterable<TraceContext | undefined>
}

/** The span of a delivery. */
export interface DeliverySpan {
  /** What the request has to carry, so that its receiver continues the trace. */
  readonly headers: { readonly traceparent: string, readonly tracestate?: string | undefined }
  /** @param error why the delivery failed, as a code */
  end (error?: string): void
}

/**
 * Makes a span for each delivery, linked to the messages. `app.deliverySpans` has it where `TRACING` is on. Without it
 * a delivery of one message carries the context of that message.
 */
export interface DeliverySpans { begin (delivery: Delivery): DeliverySpan }
