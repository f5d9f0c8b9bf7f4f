import type { FastifyBaseLogger } from 'fastify'
import type { Socket } from 'node:net'
import type { Server, TLSSocket } from 'node:tls'
import type { Counter } from 'prom-client'

/**
 * Handshakes of TLS: those that fail are counted, and those under way can be cut off. Node's HTTP server knows nothing
 * of a connection before its handshake is over, and does not close it.
 */
export class Handshakes {
  readonly #underWay = new Map<string, Socket>()
  #isCutOff = false

  constructor (server: Server, failed: Counter<'reason'>, log: FastifyBaseLogger) {
    server.on('connection', (socket) => {
      if (this.#isCutOff) {
        socket.destroy()
        return
      }
      const key = keyOf(socket)
      this.#underWay.set(key, socket)
      socket.once('close', () => { if (this.#underWay.get(key) === socket) this.#underWay.delete(key) })
    })
    server.on('secureConnection', (socket) => { this.#underWay.delete(keyOf(socket)) })
    server.on('tlsClientError', (error, socket) => {
      const reason = reasonOf(error, socket)
      failed.inc({ reason })
      log.debug({ reason, code: codeOf(error), certificate: socket.authorizationError }, 'a TLS handshake failed')
    })
  }

  /** How many are under way. */
  get size (): number {
    return this.#underWay.size
  }

  /** Ends those under way, and each that would begin. */
  cutOff (): void {
    this.#isCutOff = true
    for (const socket of this.#underWay.values()) socket.destroy()
  }
}

/** Whether a socket has not come to speak HTTP: nothing can be answered there. */
export function isInHandshake (socket: Socket): boolean {
  return 'secureConnecting' in socket && socket.secureConnecting === true
}

// The two sockets of a connection, with and without TLS, know nothing of each other.
function keyOf ({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`
}

function reasonOf (error: Error, socket: TLSSocket): string {
  const code = codeOf(error)
  switch (code) {
    case 'ERR_SSL_HTTP_REQUEST': return 'plain_http'
    case 'ERR_TLS_HANDSHAKE_TIMEOUT': return 'timeout'
    case 'ERR_SSL_UNSUPPORTED_PROTOCOL': return 'version'
    case 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE': return 'no_client_certificate'
    // The error that Node makes of a certificate that is not valid is that of a closed connection.
    case 'ECONNRESET': return isRefused(socket) ? 'client_certificate' : 'closed'
    default: return /_ALERT_.*(?:CERTIFICATE|_CA)/.test(code) ? 'server_certificate' : 'other'
  }
}

function isRefused ({ authorizationError }: { authorizationError: unknown }): boolean {
  return authorizationError !== undefined && authorizationError !== null
}

function codeOf (error: Error): string {
  return 'code' in error ? String(error.code) : error.name
}
