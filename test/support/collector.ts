import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { list, record } from './schema-values.ts'
import { until } from './until.ts'

/** A span as a collector gets it. */
export interface CollectedSpan {
  readonly name: string
  readonly kind: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly attributes: Readonly<Record<string, unknown>>
  readonly links: ReadonlyArray<{ readonly traceId: string, readonly spanId: string }>
  readonly isError: boolean
  /** Of the process that made it. */
  readonly resource: Readonly<Record<string, unknown>>
}

/** A collector of spans: OTLP over HTTP, in JSON. */
export interface Collector {
  readonly url: string
  readonly spans: CollectedSpan[]
  /** How many requests came. */
  requests: number
  /** What the next requests are answered with. */
  status: number
  /** Waits for a span. */
  readonly span: (what: string, isWanted: (span: CollectedSpan) => boolean) => Promise<CollectedSpan>
}

const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer']
const ERROR = 2

/** Starts a collector, and names it in the variables that OpenTelemetry reads, until the test is over. */
export async function startCollector (t: Test): Promise<Collector> {
  const spans: CollectedSpan[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => { chunks.push(chunk) })
    request.on('end', () => {
      collector.requests++
      if (collector.status === 200) spans.push(...spansIn(JSON.parse(Buffer.concat(chunks).toString())))
      response.writeHead(collector.status, { 'content-type': 'application/json' }).end('{}')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = portOf(server.address())
  const collector: Collector = {
    url: `http://127.0.0.1:${port}`,
    spans,
    requests: 0,
    status: 200,
    span: async (what, isWanted) => await until(what, () => spans.find(isWanted))
  }
  const variables = {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '50', OTEL_RESOURCE_ATTRIBUTES: 'team=shop'
  }
  Object.assign(process.env, variables)
  t.teardown(async () => {
    for (const name of Object.keys(variables)) Reflect.deleteProperty(process.env, name)
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return collector
}

function portOf (address: AddressInfo | string | null): AddressInfo {
  if (typeof address !== 'object' || address === null) throw new Error('the collector has no port')
  return address
}

function spansIn (body: unknown): CollectedSpan[] {
  return list(record(body)['resourceSpans']).map(record).flatMap((group) => {
    const resource = attributesOf(record(group['resource'])['attributes'])
    return list(group['scopeSpans']).map(record).flatMap(({ spans }) => list(spans).map(record).map((span) => ({
      name: String(span['name']),
      kind: KINDS[Number(span['kind'])] ?? '',
      traceId: String(span['traceId']),
      spanId: String(span['spanId']),
      parentSpanId: String(span['parentSpanId'] ?? ''),
      attributes: attributesOf(span['attributes']),
      links: list(span['links']).map(record).map(({ traceId, spanId }) => ({
        traceId: String(traceId), spanId: String(spanId)
      })),
      isError: record(span['status'])['code'] === ERROR,
      resource
    })))
  })
}

function attributesOf (attributes: unknown): Record<string, unknown> {
  return Object.fromEntries(list(attributes).map(record).map(({ key, value }) =>
    [String(key), Object.values(record(value))[0]]))
}
