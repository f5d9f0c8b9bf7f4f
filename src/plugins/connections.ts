import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { Counter } from 'prom-client'

interface ConnectionsOptions { maxConnections: number }

// A burst of refusals is one line in the log, not one for each.
const MIN_WARNING_INTERVAL_MS = 10_000
// How long a connection that has sent nothing may still begin when the process ends. Its first request may be on its
// way.
const SILENCE_MS = 500

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

/**
 * Node.js does not count a connection as idle before its first request: one that sends nothing would hold up the end of
 * the process until HTTP_HEADERS_TIMEOUT_MS.
 */
function endSilentConnections (app: FastifyInstance): void {
  const connections = new Set<Socket>()
  let whenNoneLeft = (): void => {}
  const add = (socket: Socket): void => {
    connections.add(socket)
    socket.once('close', () => {
      connections.delete(socket)
      if (connections.size === 0) whenNoneLeft()
    })
  }
  app.server.on('connection', add)
  // With TLS `connection` comes before the handshake. The bytes of the handshake count there, and here they do not.
  app.server.on('secureConnection', add)
  app.onShutdown('requests', async () => {
    if (connections.size === 0) return
    const noneLeft = new AbortController()
    whenNoneLeft = () => { noneLeft.abort() }
    await delay(SILENCE_MS, undefined, { signal: noneLeft.signal }).catch(() => {})
    for (const socket of connections) if (socket.bytesRead === 0) socket.destroy()
  })
}

export default fp<ConnectionsOptions>(async (app, options) => {
  connections(app, options)
  endSilentConnections(app)
}, {
  name: 'connections',
  dependencies: ['metrics', 'lifecycle']
})
