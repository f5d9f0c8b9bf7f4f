/** The facts that an error has for the caller, by its code; safe to show. */
export interface PushErrorDetails {
  readonly subscription_not_found: undefined
  /** A condition of the request does not hold. Null: there is no such subscription. */
  readonly subscription_version_differs: { readonly version: number | null }
  /** The subscription stands on another message than the one to be skipped. */
  readonly subscription_stands_elsewhere: { readonly nextOffset: number | null }
  readonly too_many_subscriptions: { readonly limit: number }
  readonly too_many_redrives: { readonly limit: number }
  readonly redrive_not_found: undefined
  /** Messages that fail would come back to the subscription. */
  readonly error_stream_refused: undefined
}

export type PushErrorCode = keyof PushErrorDetails

type KeysOf<T> = T extends unknown ? keyof T : never

/** The name of any of these facts. */
export type PushDetailName = KeysOf<Exclude<PushErrorDetails[PushErrorCode], undefined>>

type Arguments = {
  [Code in PushErrorCode]: undefined extends PushErrorDetails[Code]
    ? readonly [code: Code, message: string]
    : readonly [code: Code, message: string, details: PushErrorDetails[Code]]
}[PushErrorCode]

/** What only subscriptions know. Everything that has to do with RabbitMQ is a `StreamsError`. */
export class PushError extends Error {
  override readonly name = 'PushError'
  readonly code: PushErrorCode
  readonly details: PushErrorDetails[PushErrorCode]

  constructor (...[code, message, details]: Arguments) {
    super(message)
    this.code = code
    this.details = details
  }
}
