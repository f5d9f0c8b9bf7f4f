import type { PauseReason, RetryState } from '../delivery/delivery.ts'
import type { Reporter } from './reporter.ts'
import type { Amount } from './message-queue.ts'
import type { Source } from './source.ts'

/** Delivers what a source has, in the order of the subscription. */
export interface Run {
  /**
   * Delivers until the end of the course, or until it is stopped: then it returns undefined. Else it returns why the
   * subscription has to pause. When this has thrown it may be called again, with another source.
   *
   * @throws StreamsError why the source cannot be read; what the sender throws
   */
  deliverFrom: (source: Source) => Promise<PauseReason | 'done' | undefined>
  /** Of the message that is tried again. */
  readonly retry: RetryState | undefined
  readonly failuresInARow: number
  /** See `Worker.skip`. */
  skip: (offset: number) => void
}

/** What a run works with. */
export interface RunOptions {
  /** How much one request may carry. */
  readonly amount: Amount
  /** How long a message waits for others to come with it. */
  readonly maxWaitMs: number
  readonly reporter: Reporter
  /** Nothing more is sent. */
  readonly stopping: AbortSignal
  /** What is in flight is given up. */
  readonly cutting: AbortSignal
}
