import { ROOT_CONTEXT, SpanKind, SpanStatusCode, type Tracer } from '@opentelemetry/api'
import type { DeliverySpans } from '../../messages/index.ts'
import { ATTRIBUTES } from './names.ts'
import { headersOf, linkTo, messaging } from './request-span.ts'

/** The spans of requests that the gateway itself makes to deliver messages. */
export function deliverySpans (tracer: Tracer, virtualHost: string): DeliverySpans {
  return {
    begin ({ stream, consumer, messages }) {
      const links = messages.flatMap((context) => context === undefined ? [] : [linkTo(context)])
      const span = tracer.startSpan(`send ${stream}`, {
        kind: SpanKind.PRODUCER,
        attributes: {
          ...messaging('send', stream, virtualHost),
          [ATTRIBUTES.consumer]: consumer,
          ...messages.length > 1 && { [ATTRIBUTES.batchCount]: messages.length }
        },
        links
      }, ROOT_CONTEXT)
      return {
        headers: headersOf(span),
        end (error) {
          if (error !== undefined) span.setAttribute(ATTRIBUTES.error, error).setStatus({ code: SpanStatusCode.ERROR })
          span.end()
        }
      }
    }
  }
}
