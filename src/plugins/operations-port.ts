import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { RequestError } from '../api/problems.ts'
import type { Config } from '../config.ts'
import { serverOptions, setLimits } from '../http/server-limits.ts'
import { operationIdOf } from './requests.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Opens the port for operations, if there is one. Rejects with what the server has thrown. */
    listenForOperations: () => Promise<void>
    /** Whether a request has come to that port: it needs no credential there. */
    isForOperations: (request: FastifyRequest) => boolean
  }
}

const OPERATIONS: ReadonlySet<string | undefined> = new Set(['getLiveness', 'getReadiness', 'getMetrics'])
// Probes and scrapers are few.
const MAX_CONNECTIONS = 100
const CLOSE_MS = 1000

/**
 * A second port with health and metrics alone. The same application answers there, so that both ports say the same; a
 * hook keeps apart what each of them has. It answers for as long as requests are in flight.
 */
function operationsPort (app: FastifyInstance, { http, operationsPort: { host, port } }: Config): void {
  if (port === undefined) {
    app.decorate('listenForOperations', async () => {})
    app.decorate('isForOperations', () => false)
    return
  }
  const sockets = new WeakSet<Socket>()
  const server = createServer(serverOptions(http), (request, response) => { app.routing(request, response) })
  setLimits(server, http)
  server.maxConnections = MAX_CONNECTIONS
  server.maxHeadersCount = 0
  server.on('connection', (socket) => { sockets.add(socket) })
  server.on('clientError', (error, socket) => { app.server.emit('clientError', error, socket) })

  app.decorate('isForOperations', ({ raw: { socket } }: FastifyRequest) => sockets.has(socket))
  app.addHook('onRequest', (request, _reply, done) => {
    const operation = operationIdOf(request)
    const isHere = app.isForOperations(request) ? OPERATIONS.has(operation) : operation !== 'getMetrics'
    if (isHere) done()
    else done(new RequestError('route_not_found', `this port has no ${request.method} of that path`))
  })
  app.decorate('listenForOperations', async () => {
    server.listen({ host, port })
    await once(server, 'listening')
    const address = server.address()
    if (typeof address !== 'object' || address === null) return
    app.log.info(
      { host: address.address, port: address.port },
      'health and metrics are open, without authentication, to all who reach the port for operations'
    )
  })
  app.addHook('onClose', async () => { await close(server) })
}

async function close (server: Server): Promise<void> {
  if (!server.listening) return
  const closed = once(server, 'close')
  server.close()
  const late = new AbortController()
  void delay(CLOSE_MS, undefined, { signal: late.signal }).then(() => { server.closeAllConnections() }, () => {})
  await closed
  late.abort()
}

export default fp<Config>(async (app, config) => operationsPort(app, config), {
  name: 'operations-port',
  dependencies: ['requests', 'errors', 'browser-guard', 'lifecycle']
})
