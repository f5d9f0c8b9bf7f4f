import type { FailureClass } from '../delivery/failure.ts'
import type { Definition, PauseCause } from './definition.ts'

/** Which subscription: of a stream or a super stream, by the API's names. */
export interface SubscriptionKey {
  readonly source: 'stream' | 'superStream'
  readonly stream: string
  readonly subscription: string
}

/** A change, as it is written into the log of definitions. */
export interface Command {
  readonly commandId: string
  readonly key: SubscriptionKey
  readonly change: Change
  /** The version that the subscription must have; null: it must not exist; undefined: any. */
  readonly ifVersion?: number | null
}

/**
 * - `put`: creates or replaces. The definition says whether the subscription is paused then; resets, skips and redrives
 *   stay. With another consumer it begins a new generation, and resets and skips are forgotten
 * - `delete`: the definition goes; the stored offset stays
 * - `pause`: of a subscription that is paused it changes nothing, the first cause stays
 * - `resume`: of a subscription that is not paused it changes nothing
 * - `reset`: the owner of each unit has to continue at the offset that is given for it, by partition (empty for a
 *   stream). It begins a new generation. What was asked for before stays for the partitions that are not given
 * - `resetDone`: the owner of a unit has stored that offset. Changes no version. It counts only in the
 *   generation that it names
 * - `skip`: the message goes where failed messages go, if the subscription stands on it
 * - `redrive`, `redriveEnd`: see `Redrive`. They change no version. The first end of a redrive counts
 */
export type Change =
  | {
    readonly type: 'put'
    readonly definition: Definition
    /** See `Subscription.starts`. Not given: as they are. */
    readonly starts?: Readonly<Record<string, number>> | undefined
  }
  | { readonly type: 'delete' }
  | { readonly type: 'pause', readonly cause: PauseCause }
  | { readonly type: 'resume' }
  | { readonly type: 'reset', readonly offsets: Readonly<Record<string, number>> }
  | { readonly type: 'resetDone', readonly partition: string, readonly generation: number }
  | { readonly type: 'skip', readonly partition: string, readonly offset: number }
  | { readonly type: 'redrive', readonly id: string, readonly request: RedriveRequest, readonly at: number }
  | { readonly type: 'redriveEnd', readonly id: string, readonly state: RedriveEnd }

/** Which entries of the error stream are delivered again. */
export interface RedriveRequest {
  /** The first offset of the error stream. */
  readonly from: number
  /** The last offset of the error stream. It is fixed when the redrive begins, so that a redrive has an end. */
  readonly to: number
  /** At most this many entries. */
  readonly limit: number | null
  /** Only entries of this class. */
  readonly class: FailureClass | null
  /** Only entries with this status. */
  readonly status: number | null
}

export type RedriveEnd = 'done' | 'cancelled'

/** A job that delivers entries of the error stream again. */
export interface Redrive {
  readonly id: string
  readonly request: RedriveRequest
  readonly state: 'running' | RedriveEnd
  /** When it was asked for, by the clock, ms since 1970. */
  readonly at: number
}

/** A subscription as the log says it is. */
export interface Subscription {
  readonly key: SubscriptionKey
  readonly definition: Definition
  /** The offset of the last command that changed it. */
  readonly version: number
  /** Grows with each reset, and when the consumer becomes another one. */
  readonly generation: number
  /**
   * What the starts `next` and `last` stood for when they were asked for, by partition: so nothing is passed over that
   * is published before the owner of the unit begins.
   */
  readonly starts: Readonly<Record<string, number>>
  /** Where units have to continue whose owners have not stored it yet, by partition. */
  readonly resets: Readonly<Record<string, number>>
  /** The messages to be skipped, by partition. A reset forgets them. */
  readonly skips: Readonly<Record<string, number>>
  /** Those that run, and the last ones that have ended. */
  readonly redrives: readonly Redrive[]
}

/**
 * What a command did.
 * - `applied`: what it asks for holds, also when it held before
 * - `known`: it was there before and counts once
 * - `precondition_failed`: the subscription has another version than `ifVersion`, or another generation than the
 *   change
 * - `not_found`: there is no such subscription, or no such redrive
 * - `too_many`: of subscriptions, or of redrives that run
 */
export type Outcome = 'applied' | 'known' | 'precondition_failed' | 'not_found' | 'too_many'
