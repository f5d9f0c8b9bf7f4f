import type { RetryState } from '../delivery/ordered-delivery.ts'

/** A message that has failed for good. */
export interface FailedMessage {
  readonly offset: number
  /** When its chunk was written, ms since 1970, by the broker's clock. */
  readonly timestamp: number
  /** As it is stored. */
  readonly bytes: Uint8Array
  /** Where it was at first, when it is read from another stream. */
  readonly origin?: { readonly stream: string, readonly offset: number, readonly timestamp: number }
}

/** Writes the messages of one unit that have failed for good into its error stream. */
export interface ErrorEntries {
  /**
   * Settles when the entry is confirmed: only then the message counts as settled. Until then it is tried again, however
   * long that takes. The bytes of the message must stay until then.
   *
   * @throws the signal's reason
   */
  write (message: FailedMessage, state: RetryState, signal: AbortSignal): Promise<void>
}
