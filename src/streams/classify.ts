import { StreamsError, type SideEffects, type StreamsErrorCode } from './errors.ts'
import {
  AuthenticationError, ConnectionClosedError, RequestTimeoutError, ResponseCode, ResponseError, UnsupportedBrokerError
} from './protocol/index.ts'

/**
 * Turns an error of the protocol layer into the domain's error. Response codes are classified only here.
 *
 * @param sideEffects what may have happened when no answer came; a refusal has no side effects
 */
export function classify (error: unknown, sideEffects: SideEffects = 'none'): StreamsError {
  if (error instanceof StreamsError) return error
  if (error instanceof ResponseError) return classifyResponseCode(error.responseCode, error)
  if (error instanceof RequestTimeoutError) {
    return new StreamsError('broker_timeout', 'the broker did not answer in time', { sideEffects, cause: error })
  }
  if (error instanceof UnsupportedBrokerError) {
    return new StreamsError('unsupported_by_broker', 'the broker is older than RabbitMQ 3.13', { cause: error })
  }
  if (error instanceof AuthenticationError) {
    const message = 'the broker refused the credentials or the virtual host of the gateway'
    return new StreamsError('broker_protocol_error', message, { cause: error })
  }
  if (error instanceof ConnectionClosedError) {
    const message = 'the connection to the broker was lost'
    return new StreamsError('broker_unavailable', message, { sideEffects, cause: error })
  }
  return new StreamsError('broker_unavailable', 'the broker cannot be reached', { sideEffects, cause: error })
}

const BY_RESPONSE_CODE: ReadonlyMap<number, readonly [code: StreamsErrorCode, message: string]> = new Map([
  [ResponseCode.streamDoesNotExist, ['stream_not_found', 'the stream does not exist']],
  [
    ResponseCode.streamNotAvailable,
    ['stream_not_available', 'the stream has no leader or no member that could answer']
  ],
  [ResponseCode.authenticationFailure, ['broker_protocol_error', 'the broker refused the credentials of the gateway']],
  [ResponseCode.virtualHostAccessFailure, ['access_refused', 'the user on RabbitMQ may not use the virtual host']],
  [ResponseCode.accessRefused, ['access_refused', 'the user on RabbitMQ lacks the permission for this']],
  [
    ResponseCode.publisherDoesNotExist,
    ['stream_not_available', 'the broker dropped the publisher before it took the message']
  ],
  [ResponseCode.noOffset, ['consumer_offset_not_found', 'no offset is stored for this consumer']]
])

/** Classifies a code other than ok. The sender handles codes whose meaning depends on the command (5, 17). */
export function classifyResponseCode (code: number, cause?: unknown): StreamsError {
  const known = BY_RESPONSE_CODE.get(code)
  if (known !== undefined) return new StreamsError(known[0], known[1], { cause })
  return new StreamsError('broker_protocol_error', `the broker answered with the unexpected code ${code}`, { cause })
}
