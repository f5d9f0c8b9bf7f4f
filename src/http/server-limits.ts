import type { Server, ServerOptions } from 'node:http'

/** What a client of an HTTP server may use of it, as in the settings. */
export interface ServerLimits {
  readonly maxHeaderBytes: number
  readonly maxRequestsPerConnection: number
  readonly connectionTimeoutMs: number
  readonly headersTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly keepAliveTimeoutMs: number
}

// How late a client that is too slow may be noticed. By default Node checks every 30 seconds.
const TIMEOUT_PRECISION_MS = 1000

/** The limits that a server is made with. */
export function serverOptions ({ maxHeaderBytes, headersTimeoutMs }: ServerLimits): ServerOptions {
  return {
    maxHeaderSize: maxHeaderBytes,
    headersTimeout: headersTimeoutMs,
    connectionsCheckingInterval: TIMEOUT_PRECISION_MS,
    requireHostHeader: false
  }
}

/** Gives the other limits to a server that Fastify has not made. */
export function setLimits (server: Server, limits: ServerLimits): void {
  server.keepAliveTimeout = limits.keepAliveTimeoutMs
  server.requestTimeout = limits.requestTimeoutMs
  server.setTimeout(limits.connectionTimeoutMs)
  server.maxRequestsPerSocket = limits.maxRequestsPerConnection
}
