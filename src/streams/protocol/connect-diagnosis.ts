import type { ConnectFault } from './connect-fault.ts'
import { AuthenticationError, ConnectionClosedError, FrameSizeError, UnsupportedBrokerError } from './errors.ts'
import { ResponseCode } from './response-codes.ts'

/** How far an attempt to connect has come. */
export interface Progress {
  readonly isWithTls: boolean
  /** The socket is connected, with TLS if that is wanted. */
  isConnected: boolean
  /** The broker has the credentials. */
  isAuthenticating: boolean
  hasTimedOut: boolean
}

/** Finds out why an attempt failed. Undefined: this process gave it up. */
export function connectFaultOf (error: unknown, progress: Progress): ConnectFault | undefined {
  if (error instanceof UnsupportedBrokerError) return 'broker_too_old'
  if (error instanceof AuthenticationError) return refusalOf(error)
  if (!(error instanceof ConnectionClosedError) || error.closedBy === 'us') return undefined
  if (progress.hasTimedOut) return progress.isAuthenticating ? 'refusal_awaited' : 'timed_out'
  const { cause } = error
  if (cause instanceof FrameSizeError) return peerOf(cause.frameBytes)
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  if (code !== '') return faultByErrorCode(code, progress)
  if (cause !== undefined) return 'other_protocol'
  return progress.isWithTls && !progress.isConnected ? 'plain_port' : 'broken_off'
}

function refusalOf ({ command, responseCode }: AuthenticationError): ConnectFault {
  if (command === 'open') return 'virtual_host_refused'
  if (responseCode === ResponseCode.saslAuthenticationFailureLoopback) return 'loopback_only'
  if (responseCode === ResponseCode.saslMechanismNotSupported) return 'mechanism_not_offered'
  return 'wrong_credentials'
}

// The first four bytes of what the peer says, read as the size of a frame.
function peerOf (frameBytes: number): ConnectFault {
  if (frameBytes === 0x414d5150) return 'amqp_port' // AMQP, and the version that the broker wants
  if (frameBytes === 0x48545450) return 'http_port' // HTTP/1.1 400
  if (frameBytes >>> 16 === 0x1503) return 'tls_port' // a TLS alert
  return 'other_protocol'
}

const BY_ERROR_CODE: ReadonlyMap<string, ConnectFault> = new Map([
  ['ENOTFOUND', 'host_unknown'],
  ['EAI_AGAIN', 'host_unknown'],
  ['ECONNREFUSED', 'refused'],
  ['ETIMEDOUT', 'timed_out'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'plain_port'],
  ['ERR_SSL_PACKET_LENGTH_TOO_LONG', 'plain_port'],
  ['EPROTO', 'plain_port'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'broker_certificate']
])

function faultByErrorCode (code: string, { isWithTls, isConnected }: Progress): ConnectFault {
  const fault = BY_ERROR_CODE.get(code)
  if (fault !== undefined) return fault
  // An alert of the broker. It comes after the TLS handshake when TLS 1.3 is used.
  if (/^ERR_SSL_.*ALERT/.test(code)) return 'client_certificate'
  if (code === 'ECONNRESET' || code === 'EPIPE') return isWithTls && !isConnected ? 'plain_port' : 'broken_off'
  // Node passes OpenSSL's names on: CERT_HAS_EXPIRED, SELF_SIGNED_CERT_IN_CHAIN, UNABLE_TO_VERIFY_LEAF_SIGNATURE.
  if (/CERT|UNABLE_TO|CRL|CA_|SIGNATURE/.test(code)) return 'broker_certificate'
  return 'unreachable'
}
