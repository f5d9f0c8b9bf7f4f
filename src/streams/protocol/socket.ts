import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { TlsOptions } from './options.ts'

/**
 * Above this `needsDrain` is true: a full frame of the usual size. Node's own mark, 16 KiB, would stop a publisher
 * after a few messages.
 */
const HIGH_WATER_MARK_BYTES = 1024 * 1024

/** Large enough for most chunks: what a busy stream sends is then read with few calls. */
const READ_BUFFER_BYTES = 256 * 1024

/** A socket on its way to being connected, and the event that says it is. */
export interface ConnectingSocket {
  readonly socket: Socket
  readonly connectedEvent: 'connect' | 'secureConnect'
  /** What is read, in place of the event `data`. The bytes are only valid until the listener returns. */
  onData (listener: (data: Buffer) => void): void
}

export function startConnecting (host: string, port: number, tls: TlsOptions | undefined): ConnectingSocket {
  const options = { host, port, highWaterMark: HIGH_WATER_MARK_BYTES }
  const connecting = tls === undefined ? startTcp(options) : startTls(options, tls)
  // A request is one small write whose answer is waited for: there is nothing for Nagle's algorithm to gather.
  connecting.socket.setNoDelay(true)
  return connecting
}

interface Options { readonly host: string, readonly port: number, readonly highWaterMark: number }

// Every read goes into the same buffer. One for each read, as Node does by itself, costs a reader of large chunks a
// tenth of its time in the garbage collector alone.
function startTcp (options: Options): ConnectingSocket {
  const buffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES)
  let tell = (_data: Buffer): void => {}
  const socket = connectTcp({
    ...options,
    onread: {
      buffer,
      callback (bytes) {
        tell(buffer.subarray(0, bytes))
        return true
      }
    }
  })
  return { socket, connectedEvent: 'connect', onData (listener) { tell = listener } }
}

function startTls (options: Options, tls: TlsOptions): ConnectingSocket {
  // Node takes the host for the name to verify when there is no servername, and verifies unless told otherwise; said
  // here so that it stays.
  const socket = connectTls({ ...options, ...tls, rejectUnauthorized: true })
  return { socket, connectedEvent: 'secureConnect', onData (listener) { socket.on('data', listener) } }
}
