import type { FieldError } from '../api/field-error.ts'
import type { Destination } from './json-message.ts'
import type { MessageLimits } from './message-scan.ts'
import type { Work } from './work.ts'

/** Bounds of a body that is read whole. */
export interface WholeBodyLimits extends MessageLimits {
  readonly maxMessages: number
}

/** A body with several messages that is read whole: all of it is scanned before anything is made of it. */
export interface WholeRequest {
  /** The number of messages, once all is scanned. One more than allowed means too many: the rest is not scanned. */
  readonly count: number
  /** What is wrong with the body as a whole, once all is scanned. */
  readonly errors: readonly FieldError[]
  /**
   * Checks the body and finds its messages. Nothing is made of them yet.
   *
   * @returns whether all is scanned; false when the work was used up before
   * @throws MalformedJsonError when it is not JSON
   * @throws MessageFormatError when a message is over a limit
   */
  scan (work: Work): boolean
  /**
   * Adds messages to a batch, which must not be published when there are errors.
   *
   * @returns undefined when the work was used up before the last message; the next call continues. At the end, one
   *   error for each bad message, at most MAX_FIELD_ERRORS
   */
  addTo (to: Omit<Destination, 'limits'>): readonly FieldError[] | undefined
}
