import type { FailureClass } from './delivery/failure.ts'

/** Counters of this process since its start. Plugins show them as metrics. */
export class PushFigures {
  /** Messages that the endpoints have processed. */
  delivered = 0
  /** Requests that were sent. */
  attempts = 0
  /** Requests that failed, by class. */
  readonly failed: Record<FailureClass, number> = { message: 0, ambiguous: 0, endpoint: 0, gone: 0 }
  /** Messages that went to an error stream. */
  errorEntries = 0
  /** Messages that were dropped by `onFailure: drop`. */
  dropped = 0
  /** Messages that retention removed before they were delivered. */
  missed = 0
  /** Slots that this process owns at the moment. */
  ownedSlots = 0
  /** Slots of which no process has said for half a minute that it owns them. */
  unownedSlots = 0
  /** Units that this process has taken over. */
  takeovers = 0
  /** Requests in flight at the moment. */
  inFlight = 0
}
