import type { PauseReason, RetryState } from '../delivery/ordered-delivery.ts'

/** What a unit does at the moment. `paused` and `unassigned` are not states of a worker: they follow from elsewhere. */
export type WorkerState = 'idle' | 'delivering' | 'retrying' | 'failing' | 'blocked' | 'stopped'

/** How a delivery has failed last. */
export interface LastFailure {
  /** By the clock, ms since 1970. */
  readonly at: number
  readonly offset: number
  readonly class: RetryState['failure']
  readonly status: number | null
  readonly error: string
}

/** Entries of the error stream that a redrive has settled. After a takeover some may be counted again. */
export interface Counts {
  /** The endpoint has processed them. */
  readonly delivered: number
  /** They have failed again: they were written anew, or dropped. */
  readonly failed: number
}

/** What the owner of a unit says of it. */
export interface Report {
  readonly state: WorkerState
  /** Why it is `blocked` or `stopped`, in a sentence for the operator; null otherwise. */
  readonly reason: string | PauseReason | null
  /** The message that is delivered next. */
  readonly nextOffset: number
  /** The message that is tried again; null when the last try succeeded. */
  readonly retry: RetryState | null
  readonly lastSuccessAt: number | null
  readonly lastFailure: LastFailure | null
  /** Messages in a row that have failed for good. */
  readonly consecutiveFailures: number
  /** Messages that retention removed before they were delivered, since the generation began. */
  readonly missed: number
  /** Of a redrive. */
  readonly counts?: Counts | undefined
}

/** A report as it is written into the status stream. */
export interface StatusRecord extends Report {
  /** See `unitId`. */
  readonly unit: string
  /** The name of the instance. */
  readonly owner: string
  /** The generation of the subscription that it speaks of: see `Subscription.generation`. */
  readonly generation: number
  /** How often the unit was taken over until now. Grows with each owner. */
  readonly takeovers: number
  /** By the owner's clock, ms since 1970. */
  readonly at: number
}

/** Which instance has a slot, as it says itself every few seconds. */
export interface SlotRecord {
  readonly slot: number
  readonly owner: string
  readonly at: number
}
