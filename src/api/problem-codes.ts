import type { AccessErrorCode } from '../access/access-error.ts'
import type { PushErrorCode } from '../push/push-error.ts'
import type { StreamsErrorCode } from '../streams/index.ts'

/** Codes of errors that are found before the domain is reached. */
export type EdgeErrorCode =
  | 'bad_request'
  | 'validation_failed'
  | 'invalid_cloudevent'
  | 'origin_not_allowed'
  | 'route_not_found'
  | 'method_not_allowed'
  | 'not_acceptable'
  | 'request_timeout'
  | 'payload_too_large'
  | 'unsupported_media_type'
  | 'expectation_not_supported'
  | 'host_not_allowed'
  | 'headers_too_large'
  | 'push_disabled'
  | 'internal_error'

/** Domain codes that a caller knows under another code, because to a caller they are the same. */
const SHOWN_AS = {
  invalid_argument: 'validation_failed',
  message_too_large: 'payload_too_large',
  caller_left: 'unauthorized' // its credential has ended; a caller that closed its connection gets no answer
} as const

/** Every code that an answer can carry. */
export type ProblemCode =
  Exclude<StreamsErrorCode, keyof typeof SHOWN_AS> | PushErrorCode | AccessErrorCode | EdgeErrorCode

/** The code that a caller sees for an error of the domain. */
export function problemCodeOf (code: StreamsErrorCode): ProblemCode {
  return isShownOtherwise(code) ? SHOWN_AS[code] : code
}

function isShownOtherwise (code: StreamsErrorCode): code is keyof typeof SHOWN_AS {
  return Object.hasOwn(SHOWN_AS, code)
}
