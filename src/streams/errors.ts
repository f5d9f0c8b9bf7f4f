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
  | 'stream_arguments_differ' // broker 17 on create: exists with other arguments, or is not a stream
  | 'super_stream_not_found' // no exchange of the name, or its streams are not named as partitions
  | 'super_stream_differs' // a super stream to create exists with other partitions, or parts of it do
  | 'super_stream_exists' // a stream to create has the name of a super stream
  | 'stream_is_partition' // a stream to delete is a partition of a super stream
  | 'no_route' // no partition of the super stream is bound with the routing key
  | 'offset_goes_back' // an offset to store below the stored one
  | 'expectation_failed' // `expected` or `expectedLastPublishingId` differs
  | 'publisher_overtaken' // somebody else has published under the name at the same moment
  | 'publisher_exhausted' // the name has the highest publishing id: whatever follows would be a duplicate
  | 'message_too_large' // does not fit into one frame of the broker
  | 'offset_out_of_range' // a read from beyond the end
  | 'cursor_invalid' // a cursor of another super stream, or not a cursor at all
  | 'offset_beyond_end' // an offset to store, or a reset, beyond the end
  | 'body_not_a_line' // a line read that starts at a body with a line feed in it
  | 'broker_protocol_error' // what the broker should never answer; own credentials refused
  | 'broker_unavailable' // no connection
  | 'stream_not_available' // no leader or no member for the stream
  | 'overloaded' // a budget of this process is full
  | 'draining' // shutting down: see `shuttingDown`
  | 'caller_left' // the caller went away, or may no longer ask: its signal has aborted
  | 'confirm_timeout' // the broker did not confirm in time
  | 'broker_timeout' // the broker did not answer in time
  | 'unsupported_by_broker' // too old for what was asked
  | 'management_not_configured' // needs the management API, which no setting names
  | 'management_unavailable' // the management API did not answer as it should

export type SideEffects = 'none' | 'possible'

/** The facts that an error has for the caller, by its code; safe to show. An error with another code has none. */
export interface ErrorDetails {
  invalid_argument: { readonly argument: 'stream' | 'consumer' | 'publisher' }
  stream_not_found: { readonly superStream: true, readonly partitions: readonly string[] }
  super_stream_exists: { readonly superStream: true, readonly partitions: readonly string[] }
  super_stream_differs: { readonly partitions: readonly string[] }
  stream_is_partition: { readonly superStream: string }
  offset_goes_back: { readonly storedOffset: bigint }
  expectation_failed: { readonly storedOffset: bigint | null } | { readonly lastPublishingId: bigint }
  publisher_overtaken: { readonly lastPublishingId: bigint }
  publisher_exhausted: { readonly lastPublishingId: bigint }
  message_too_large: { readonly index: number, readonly limitBytes: number }
  offset_out_of_range: { readonly firstOffset: number, readonly lastOffset: number | null }
  offset_beyond_end: { readonly nextOffset: number }
  body_not_a_line: { readonly offset: number }
  stream_not_available: { readonly storedOffset: bigint }
  overloaded: { readonly limit: number } | { readonly limitBytes: number }
}

type AnyDetails = ErrorDetails[keyof ErrorDetails]
type KeysOf<T> = T extends unknown ? keyof T : never

/** The name of any of these facts. `partition`: of a super stream, whatever the error. */
export type DetailName = KeysOf<AnyDetails> | 'partition'

export interface StreamsErrorOptions<Details = undefined> {
  /** Whether the same call may succeed later. Default: by code. */
  readonly retryable?: boolean
  /** Whether something may have been changed or stored. Default 'none'. */
  readonly sideEffects?: SideEffects
  /** See `ErrorDetails`. */
  readonly details?: Details
  /** What happened underneath; logged, never shown. */
  readonly cause?: unknown
}

// Details that do not belong to the code do not compile.
type WithDetails<Code extends keyof ErrorDetails> =
  readonly [code: Code, message: string, options: StreamsErrorOptions<ErrorDetails[Code]>]
type StreamsErrorArguments =
  | readonly [code: StreamsErrorCode, message: string, options?: StreamsErrorOptions]
  | { [Code in keyof ErrorDetails]: WithDetails<Code> }[keyof ErrorDetails]

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
  readonly details: AnyDetails | undefined

  constructor (...[code, message, options = {}]: StreamsErrorArguments) {
    super(message, { cause: options.cause })
    this.code = code
    this.retryable = options.retryable ?? RETRYABLE.has(code)
    this.sideEffects = options.sideEffects ?? 'none'
    this.details = options.details
  }

  /** The same error, of a call that has changed something before it failed. */
  afterSideEffects (): StreamsError {
    const { code, message, retryable, details, cause } = this
    const error = new StreamsError(code, message, { retryable, sideEffects: 'possible', cause })
    return Object.assign(error, { details })
  }

  /** The same error, of one partition of a super stream. */
  inPartition (partition: string): StreamsError {
    const { code, message, retryable, sideEffects, details, cause } = this
    const error = new StreamsError(code, `${partition}: ${message}`, { retryable, sideEffects, cause })
    return Object.assign(error, { details: { ...details, partition } })
  }
}
