/**
 * Why a caller is refused:
 * - `unauthorized`: the request has no credential, or the credential belongs to no caller
 * - `access_refused`: the caller is known and may not do this
 * - `too_many_requests`: too many failures to log in, or more than a quota allows
 * - `identity_provider_unavailable`: the identity provider that could check the credential cannot be reached
 */
export type AccessErrorCode =
  'unauthorized' | 'access_refused' | 'too_many_requests' | 'identity_provider_unavailable'

export interface AccessErrorOptions {
  /** Why, for the log and the audit line. It is not shown to the caller: it would help a guesser. */
  readonly reason: string
  /** After how many seconds the same request may be made again. */
  readonly retryAfterSeconds?: number
  readonly cause?: unknown
}

/** A refusal. Its message is safe for the caller. */
export class AccessError extends Error {
  override readonly name = 'AccessError'
  readonly code: AccessErrorCode
  readonly reason: string
  readonly retryAfterSeconds: number | undefined

  constructor (code: AccessErrorCode, message: string, { reason, retryAfterSeconds, cause }: AccessErrorOptions) {
    super(message, { cause })
    this.code = code
    this.reason = reason
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** For a credential that is not valid, whatever is wrong with it: one text for all. */
export function notValid (reason: string, cause?: unknown): AccessError {
  return new AccessError('unauthorized', 'the credential is not valid', { reason, cause })
}
