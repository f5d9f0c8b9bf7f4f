import type { Tracer } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import {
  BasicTracerProvider, BatchSpanProcessor, type ReadableSpan, type SpanExporter
} from '@opentelemetry/sdk-trace-base'
import type { FastifyBaseLogger } from 'fastify'
import { randomUUID } from 'node:crypto'

const NAME = 'rabbitmq-stream-gateway'
const MAX_CLOSE_MS = 2000
const FAILED = 1

/** Sends spans to a collector. */
export interface Export {
  readonly tracer: Tracer
  /** Sends what is left, within two seconds. */
  readonly close: () => Promise<void>
}

/** Spans go out by OTLP over HTTP, in batches. `OTEL_*` variables say where to, how many, and which. */
export function startExport (version: string, log: FastifyBaseLogger): Export {
  const resource = defaultResource()
    .merge(resourceFromAttributes({
      'service.name': NAME,
      'service.version': version,
      // Several instances send to one collector, which could not tell them apart.
      'service.instance.id': randomUUID()
    }))
    // What the variables say comes last: it is used in place of the above.
    .merge(detectResources({ detectors: [envDetector] }))
  const provider = new BasicTracerProvider({
    resource, spanProcessors: [new BatchSpanProcessor(new LoggedExporter(new OTLPTraceExporter(), log))]
  })
  return {
    tracer: provider.getTracer(NAME, version),
    async close () {
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<void>((resolve) => { timer = setTimeout(resolve, MAX_CLOSE_MS) })
      await Promise.race([provider.shutdown().catch(() => {}), late])
      clearTimeout(timer)
    }
  }
}

/** Says once that spans are lost, and once that they no longer are. */
class LoggedExporter implements SpanExporter {
  readonly #exporter: SpanExporter
  readonly #log: FastifyBaseLogger
  #lost = 0

  constructor (exporter: SpanExporter, log: FastifyBaseLogger) {
    this.#exporter = exporter
    this.#log = log
  }

  export (spans: ReadableSpan[], done: Parameters<SpanExporter['export']>[1]): void {
    this.#exporter.export(spans, (result) => {
      if (result.code === FAILED) {
        if (this.#lost === 0) {
          this.#log.warn({ reason: result.error?.message }, 'spans are lost: the collector does not take them')
        }
        this.#lost += spans.length
      } else if (this.#lost > 0) {
        this.#log.info({ lost: this.#lost }, 'the collector takes spans again')
        this.#lost = 0
      }
      done(result)
    })
  }

  async shutdown (): Promise<void> {
    await this.#exporter.shutdown()
  }

  async forceFlush (): Promise<void> {
    await this.#exporter.forceFlush?.()
  }
}
