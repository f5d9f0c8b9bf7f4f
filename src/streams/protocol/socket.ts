import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { TlsOptions } from './options.ts'

/**
 * `needsDrain` is true above this: a full frame of the usual size. Node's default, 16 KiB, would stop a publisher after
 * a few messages.
 */
const HIGH_WATER_MARK_BYTES = 1024 * 1024

/** Large enough for most chunks, so that a busy stream is read with few calls. */
const READ_BUFFER_BYTES = 256 * 1024

/** A socket that is connecting, and the event that reports the connection. */
export interface ConnectingSocket {
  readonly socket: Socket
  readonly connectedEvent: 'connect' | 'secureConnect'
  /** Replaces the event `data`. The bytes are valid only until the listener returns. */
  onData (listener: (data: Buffer) => void): void
}

export function startConnecting (host: string, port: number, tls: TlsOptions | undefined): ConnectingSocket {
  const options = { host, port, highWaterMark: HIGH_WATER_MARK_BYTES }
  const connecting = tls === undefined ? startTcp(options) : startTls(options, tls)
  // A request is one small write that waits for its answer, so Nagle's algorithm has nothing to gather.
  connecting.socket.setNoDelay(true)
  return connecting
}

interface Options { readonly host: string, readonly port: number, readonly highWaterMark: number }

// Every read goes into the same buffer. With a new buffer for each read, which is Node's default, a reader of large
// chunks spends a tenth of its time in the garbage collector.
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
  // Without a servername Node verifies the name of the host. `rejectUnauthorized` is Node's default; it is set here so
  // that nothing changes it.
  const socket = connectTls({ ...options, ...tls, rejectUnauthorized: true })
  return { socket, connectedEvent: 'secureConnect', onData (listener) { socket.on('data', listener) } }
}
