import { describeResponseCode } from './response-codes.ts'

/**
 * What this folder throws is one of these, a `RangeError` for arguments that cannot be written, or the reason of an
 * aborted signal.
 */
export class ProtocolError extends Error {
  override readonly name: string = 'ProtocolError'
}

/** The broker answered with a code other than ok. The connection goes on as before. */
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
 * No answer came in time; whether the broker did what was asked is unknown. The connection goes on, a late answer is
 * dropped.
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
 * `peer`: the broker said Close or ended the socket. `us`: `close` or `destroy` was called. `fault`: anything else,
 * told by the cause.
 */
export type ClosedBy = 'peer' | 'us' | 'fault'

/** The connection is gone, or never came to be. Everything that waits for it gets this. */
export class ConnectionClosedError extends ProtocolError {
  override readonly name = 'ConnectionClosedError'
  readonly closedBy: ClosedBy
  /** The code of the broker's Close, when it sent one. */
  readonly responseCode?: number

  constructor (closedBy: ClosedBy, message: string, options: { cause?: unknown, responseCode?: number } = {}) {
    super(message, { cause: options.cause })
    this.closedBy = closedBy
    if (options.responseCode !== undefined) this.responseCode = options.responseCode
  }
}

/** The broker is older than RabbitMQ 3.13, or does not say how old it is. */
export class UnsupportedBrokerError extends ProtocolError {
  override readonly name = 'UnsupportedBrokerError'
}

/** The broker refused the mechanism, the credentials or the virtual host; trying again changes nothing. */
export class AuthenticationError extends ProtocolError {
  override readonly name = 'AuthenticationError'
  readonly responseCode: number

  constructor (message: string, responseCode: number) {
    super(`${message}: ${describeResponseCode(responseCode)}`)
    this.responseCode = responseCode
  }
}

/** The peer sent what is no frame of this protocol. Ends the connection it came on. */
export class MalformedFrameError extends ProtocolError {
  override readonly name = 'MalformedFrameError'
}

/** A chunk that contradicts itself: its checksum, its lengths or its counts. */
export class ChunkError extends ProtocolError {
  override readonly name = 'ChunkError'
}

export type CompressionErrorReason = 'unsupported' | 'too_large' | 'corrupt'

/** A sub-entry batch that cannot be expanded. */
export class CompressionError extends ProtocolError {
  override readonly name = 'CompressionError'
  readonly reason: CompressionErrorReason

  constructor (reason: CompressionErrorReason, message: string, cause?: unknown) {
    super(message, { cause })
    this.reason = reason
  }
}
