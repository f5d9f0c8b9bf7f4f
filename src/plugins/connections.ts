import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Counter } from 'prom-client'

interface ConnectionsOptions { maxConnections: number }

// A burst of refusals is one line in the log, not one for each.
const MIN_WARNING_INTERVAL_MS = 10_000

/** The bound on connections, and how an operator learns that it was reached. */
function connections (app: FastifyInstance, { maxConnections }: ConnectionsOptions): void {
  const { server } = app
  server.maxConnections = maxConnections
  // Node silently drops headers beyond a number. HTTP_MAX_HEADER_BYTES bounds headers too, and its refusal says so.
  server.maxHeadersCount = 0

  const refused = new Counter({
    name: 'rabbitmq_stream_gateway_http_connections_refused_total',
    help: 'Connections closed when they arrived because HTTP_MAX_CONNECTIONS was reached',
    registers: [app.metrics]
  })
  let warnedMs = -Infinity
  server.on('drop', () => {
    refused.inc()
    if (performance.now() - warnedMs < MIN_WARNING_INTERVAL_MS) return
    warnedMs = performance.now()
    app.log.warn({ maxConnections }, 'connections are closed as they come: HTTP_MAX_CONNECTIONS is reached')
  })
}

export default fp<ConnectionsOptions>(async (app, options) => connections(app, options), {
  name: 'connections',
  dependencies: ['metrics']
})
