/**
 * The codes that the broker answers with. Source: the protocol reference and `rabbit_stream.hrl` of RabbitMQ, which
 * alone has 20 and 21.
 */
export const ResponseCode = {
  ok: 1,
  streamDoesNotExist: 2,
  subscriptionIdAlreadyExists: 3,
  subscriptionIdDoesNotExist: 4,
  streamAlreadyExists: 5,
  streamNotAvailable: 6,
  saslMechanismNotSupported: 7,
  authenticationFailure: 8,
  saslError: 9,
  saslChallenge: 10,
  saslAuthenticationFailureLoopback: 11,
  virtualHostAccessFailure: 12,
  unknownFrame: 13,
  frameTooLarge: 14,
  internalError: 15,
  accessRefused: 16,
  preconditionFailed: 17,
  publisherDoesNotExist: 18,
  noOffset: 19,
  saslCannotChangeMechanism: 20,
  saslCannotChangeUsername: 21
} as const

export type ResponseCodeName = keyof typeof ResponseCode

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(ResponseCode).map(([name, code]) => [code, name]))

/** For messages that people read: `noOffset (19)`, `unknown code (99)`. */
export function describeResponseCode (code: number): string {
  return `${NAMES.get(code) ?? 'unknown code'} (${code})`
}
