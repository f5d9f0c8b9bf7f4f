import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { TlsOptions } from './options.ts'

/** Above this `needsDrain` is true: a full frame of the usual size. Node's own mark, 16 KiB, would stop a publisher after a few messages. */
const HIGH_WATER_MARK_BYTES = 1024 * 1024

/** A socket on its way to being connected, and the event that says it is. */
export interface ConnectingSocket {
  readonly socket: Socket
  readonly connectedEvent: 'connect' | 'secureConnect'
}

export function startConnecting (host: string, port: number, tls: TlsOptions | undefined): ConnectingSocket {
  const options = { host, port, highWaterMark: HIGH_WATER_MARK_BYTES }
  const socket = tls === undefined
    ? connectTcp(options)
    // Node takes the host for the name to verify when there is no servername, and verifies unless told otherwise; said here so that it stays.
    : connectTls({ ...options, ...tls, rejectUnauthorized: true })
  // A request is one small write whose answer is waited for: there is nothing for Nagle's algorithm to gather.
  socket.setNoDelay(true)
  return { socket, connectedEvent: tls === undefined ? 'connect' : 'secureConnect' }
}
