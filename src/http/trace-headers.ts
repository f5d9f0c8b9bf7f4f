import type { FastifyRequest } from 'fastify'
import type { ReadBatch } from '../streams/index.ts'
import { parseTraceparent } from '../text/traceparent.ts'

/** The headers of W3C Trace Context. */
export interface TraceHeaders {
  readonly traceparent?: string | string[] | undefined
  readonly tracestate?: string | string[] | undefined
}

declare module 'fastify' {
  interface FastifyRequest {
    /**
     * Where the gateway itself has put the request in a trace, in place of its headers. Not declared by
     * `decorateRequest`: Fastify would then set it in every request.
     */
    tracedAs?: TraceHeaders | undefined
    /** Learns which messages an answer is made of, where spans are made. */
    onReceived?: (batch: Pick<ReadBatch, 'pieces' | 'count'>) => void
    /** Learns that an answer has begun which may stay open for hours, where spans are made. */
    onLive?: () => void
  }
}

/** Where a request is in a trace. What its sender says is not checked yet. */
export function traceHeadersOf ({ tracedAs, headers }: FastifyRequest): TraceHeaders {
  return tracedAs ?? { traceparent: headers['traceparent'], tracestate: headers['tracestate'] }
}

/** The id of the trace that a request belongs to, for lines of the log. */
export function traceIdOf ({ tracedAs, headers }: FastifyRequest): string | undefined {
  // Every request asks, so no object is made for it.
  const traceparent = tracedAs === undefined ? headers['traceparent'] : tracedAs.traceparent
  return typeof traceparent === 'string' ? parseTraceparent(traceparent)?.traceId : undefined
}
