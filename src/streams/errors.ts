/**
 * The one error the domain throws. The edge turns its code into a status; what a caller may do next
 * (`retryable`) and what may have happened already (`sideEffects`) is decided here, where it is known.
 */
export type StreamsErrorCode =
  | 'invalid_argument' // a value the domain refuses before the broker sees it
  | 'access_refused' // broker 16, 12: the gateway's user lacks the permission
  | 'stream_not_found' // broker 2
  | 'consumer_offset_not_found' // broker 19
  | 'message_not_found' // no readable message at that offset
  | 'stream_arguments_differ' // broker 17 on create: exists with other arguments, or is no stream
  | 'offset_goes_back' // a commit below the stored offset
  | 'expectation_failed' // `expected` or `expectedLastPublishingId` differs
  | 'publisher_overtaken' // somebody else has published under the name at the same moment
  | 'message_too_large' // does not fit into one frame of the broker
  | 'offset_out_of_range' // a read from beyond the end
  | 'offset_beyond_end' // a commit or reset beyond the end
  | 'body_not_a_line' // a line read that starts at a body with a line feed in it
  | 'broker_protocol_error' // what the broker should never answer; own credentials refused
  | 'broker_unavailable' // no connection
  | 'stream_not_available' // no leader or no member for the stream
  | 'overloaded' // a budget of this process is full
  | 'draining' // shutting down: see `shuttingDown`
  | 'caller_left' // the caller went away: nobody is there to be told
  | 'confirm_timeout' // the broker did not confirm in time
  | 'broker_timeout' // the broker did not answer in time
  | 'unsupported_by_broker' // too old for what was asked
  | 'management_not_configured' // needs the management API, which no setting names
  | 'management_unavailable' // the management API did not answer as it should

export type SideEffects = 'none' | 'possible'

export interface StreamsErrorOptions {
  /** Whether the same call may succeed later. Default: by code. */
  retryable?: boolean
  /** Whether something may have been changed or stored. Default 'none'. */
  sideEffects?: SideEffects
  /** Facts for the caller, e.g. `{ firstOffset, lastOffset }`; safe to show. */
  details?: Readonly<Record<string, bigint | number | string | null>>
  /** What happened underneath; logged, never shown. */
  cause?: unknown
}

const RETRYABLE: ReadonlySet<StreamsErrorCode> = new Set<StreamsErrorCode>([
  'broker_unavailable', 'stream_not_available', 'overloaded', 'draining', 'confirm_timeout', 'broker_timeout',
  'management_unavailable'
])

/** An error whose message is safe for the caller. `cause` holds what is not. */
export class StreamsError extends Error {
  override readonly name = 'StreamsError'
  readonly code: StreamsErrorCode
  readonly retryable: boolean
  readonly sideEffects: SideEffects
  readonly details: StreamsErrorOptions['details']

  constructor (code: StreamsErrorCode, message: string, options: StreamsErrorOptions = {}) {
    super(message, { cause: options.cause })
    this.code = code
    this.retryable = options.retryable ?? RETRYABLE.has(code)
    this.sideEffects = options.sideEffects ?? 'none'
    this.details = options.details
  }

  /** The same error, of a call that has changed something before it failed. */
  afterSideEffects (): StreamsError {
    const { code, message, retryable, details, cause } = this
    return new StreamsError(code, message, {
      retryable,
      sideEffects: 'possible',
      cause,
      ...(details !== undefined && { details })
    })
  }
}
