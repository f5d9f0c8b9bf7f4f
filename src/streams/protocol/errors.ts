import type { ConnectFault } from './connect-fault.ts'
import { describeResponseCode } from './response-codes.ts'

/**
 * Everything in this folder throws a subclass of this, a `RangeError` for an argument that cannot be written, or the
 * reason of an aborted signal.
 */
export class ProtocolError extends Error {
  override readonly name: string = 'ProtocolError'
  /** Why a connection could not be opened; only on what `Connection.open` throws. */
  declare connectFault?: ConnectFault
}

/** The broker answered with a code other than ok. The connection stays open. */
export class ResponseError extends ProtocolError {
  override readonly name = 'ResponseError'
  readonly responseCode: number
  readonly command: string

  constructor (command: string, responseCode: number) {
    super(`the broker answered ${command} with ${describeResponseCode(responseCode)}`)
    this.command = command
    this.responseCode = responseCode
  }
}

/**
 * No answer came in time. It is unknown whether the broker executed the request. The connection stays open, and a late
 * answer is dropped.
 */
export class RequestTimeoutError extends ProtocolError {
  override readonly name = 'RequestTimeoutError'
  readonly command: string

  constructor (command: string, timeoutMs: number) {
    super(`the broker did not answer ${command} within ${timeoutMs} ms`)
    this.command = command
  }
}

/**
 * `peer`: the broker sent Close or ended the socket. `us`: `close` or `destroy` was called. `fault`: anything else; see
 * the cause.
 */
export type ClosedBy = 'peer' | 'us' | 'fault'

/** The connection has ended or could not be opened. Everything that waits on it fails with this. */
export class ConnectionClosedError extends ProtocolError {
  override readonly name = 'ConnectionClosedError'
  readonly closedBy: ClosedBy
  /** The code of the broker's Close, when it sent one. */
  readonly responseCode?: number
  /**
   * The stream of the oldest request without an answer. The broker works off a connection's requests in order: when it
   * ended the connection without a word, this is the stream of the request at which it failed.
   */
  declare unansweredStream?: string

  constructor (closedBy: ClosedBy, message: string, options: { cause?: unknown, responseCode?: number } = {}) {
    super(message, { cause: options.cause })
    this.closedBy = closedBy
    if (options.responseCode !== undefined) this.responseCode = options.responseCode
  }
}

/** The broker is older than RabbitMQ 3.13, or does not name its version. */
export class UnsupportedBrokerError extends ProtocolError {
  override readonly name = 'UnsupportedBrokerError'
}

/** The broker refused the mechanism, the credentials or the virtual host. A retry would be refused as well. */
export class AuthenticationError extends ProtocolError {
  override readonly name = 'AuthenticationError'
  /** The command that was refused. */
  readonly command: string
  readonly responseCode: number

  constructor (message: string, command: string, responseCode: number) {
    super(`${message}: ${describeResponseCode(responseCode)}`)
    this.command = command
    this.responseCode = responseCode
  }
}

/** The peer sent bytes that are not a frame of this protocol. This ends the connection. */
export class MalformedFrameError extends ProtocolError {
  override readonly name = 'MalformedFrameError'
}

/** A frame whose size field is out of bounds. */
export class FrameSizeError extends MalformedFrameError {
  readonly frameBytes: number

  constructor (message: string, frameBytes: number) {
    super(message)
    this.frameBytes = frameBytes
  }
}

/** A chunk that contradicts itself: its checksum, its lengths or its counts. */
export class ChunkError extends ProtocolError {
  override readonly name = 'ChunkError'
}

export type CompressionErrorReason = 'unsupported' | 'too_large' | 'corrupt' | 'failed'

/** A sub-entry batch that cannot be expanded. */
export class CompressionError extends ProtocolError {
  override readonly name = 'CompressionError'
  readonly reason: CompressionErrorReason

  constructor (reason: CompressionErrorReason, message: string, cause?: unknown) {
    super(message, { cause })
    this.reason = reason
  }
}
