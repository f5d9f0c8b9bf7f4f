import { ROOT_CONTEXT, SpanKind, SpanStatusCode, type Tracer } from '@opentelemetry/api'
import type { DeliverySpans } from '../../messages/index.ts'
import { ATTRIBUTES } from './names.ts'
import { headersOf, linksOf, messaging } from './request-span.ts'

const DELIVER = 'deliver'

/** The spans of requests that the gateway itself makes to deliver messages. */
export function deliverySpans (tracer: Tracer, virtualHost: string): DeliverySpans {
  return {
    begin ({ stream, consumer, count, contexts }) {
      const span = tracer.startSpan(`${DELIVER} ${stream}`, {
        // Of the receiver's span for the request it is the parent. The messages were created elsewhere.
        kind: SpanKind.CLIENT,
        attributes: {
          // It passes messages to the program that asked for them. To `send` is what publishers do.
          ...messaging('process', stream, virtualHost),
          [ATTRIBUTES.operationName]: DELIVER,
          [ATTRIBUTES.consumer]: consumer,
          ...count > 1 && { [ATTRIBUTES.batchCount]: count }
        },
        links: linksOf(contexts)
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
