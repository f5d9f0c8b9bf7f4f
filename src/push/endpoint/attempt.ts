import type { FailureClass } from '../delivery/failure.ts'

/** What came of one request to an endpoint. */
export interface Attempt {
  /** Undefined: the endpoint has processed what the request carried. */
  readonly failure: FailureClass | undefined
  /** The status of the answer, if there was one. */
  readonly status: number | undefined
  /** Up to and including this offset the endpoint has processed, as it says: also in an answer that is a failure. */
  readonly processed: number | undefined
  /** The endpoint does not want this message again. */
  readonly isFinal: boolean
  /** The pause that the endpoint asks for. */
  readonly retryAfterMs: number | undefined
  /** What went wrong, for the operator: of an answer its first kibibyte. */
  readonly error: string | undefined
  /** The guard has refused to connect: trying again soon is of no use. */
  readonly isRefused: boolean
}
