import type { Position } from '../streams/index.ts'
import type { Attempt } from './endpoint/attempt.ts'
import type { Definition } from './definitions/definition.ts'
import type { Redrive, RedriveRequest, Subscription, SubscriptionKey } from './definitions/definitions.ts'
import type { Counts, StatusRecord } from './status/status-record.ts'

/** What a subscription does at the moment, of a stream or of one partition. */
export interface SubscriptionStatus {
  readonly state: 'idle' | 'delivering' | 'retrying' | 'failing' | 'paused' | 'blocked' | 'unassigned'
  readonly reason: string | null
  /** The last word of the owner; undefined before the first. */
  readonly record: StatusRecord | undefined
  readonly storedOffset: number | null
  /** The message that is delivered next; null: it is not known. */
  readonly nextOffset: number | null
  readonly lag: number | null
}

/** A redrive, and how far it is. */
export interface RedriveProgress {
  readonly redrive: Redrive
  /** The offset of the error stream that is delivered next; null: not known, or ended. */
  readonly position: number | null
  /** The last word of the owner; undefined before the first, and after the end. */
  readonly record: StatusRecord | undefined
  /** Undefined: not known, or no longer. */
  readonly counts: Counts | undefined
}

/** A condition on the version that a change is made to; null: there must be none; undefined: any. */
export type IfVersion = number | null | undefined

/**
 * Push subscriptions, for routes. Everything that it promises holds on every instance. Throws StreamsError, and
 * PushError for what only subscriptions know.
 */
export interface PushPort {
  /**
   * Creates or replaces. The definition is complete, and its secrets and values of headers are sealed. What is
   * published after this has settled comes after the starts `next` and `last`.
   *
   * @throws PushError `subscription_version_differs`, `too_many_subscriptions`
   */
  put (key: SubscriptionKey, definition: Definition, ifVersion: IfVersion): Promise<Subscription>
  get (key: SubscriptionKey): Promise<Subscription>
  /** All of them, in any order. */
  list (): Promise<readonly Subscription[]>
  delete (key: SubscriptionKey, ifVersion: IfVersion): Promise<void>
  /** Settles when the owner has stopped, or after a few seconds. */
  pause (key: SubscriptionKey): Promise<Subscription>
  resume (key: SubscriptionKey): Promise<Subscription>
  /** Settles when the owner has moved, or after a few seconds. For a super stream: all partitions, or those named. */
  reset (key: SubscriptionKey, to: Position, partitions?: readonly string[]): Promise<Subscription>
  /** @throws PushError `subscription_stands_elsewhere` when it stands elsewhere */
  skip (key: SubscriptionKey, offset: number, partition?: string): Promise<Subscription>
  /** Sends one signed request with an empty message, which belongs to no offset. */
  test (key: SubscriptionKey): Promise<Attempt & { readonly tookMs: number }>
  /** For a stream one, for a super stream one for each partition; of a super stream that is gone one without a name. */
  status (subscription: Subscription): Promise<ReadonlyMap<string, SubscriptionStatus>>
  /** @throws PushError `too_many_redrives` */
  startRedrive (key: SubscriptionKey, request: RedriveRequest): Promise<RedriveProgress>
  /** Those that run, and the last ones that have ended. */
  redrives (key: SubscriptionKey): Promise<readonly RedriveProgress[]>
  /** Ends one that runs; of one that has ended it changes nothing. @throws PushError `redrive_not_found` */
  endRedrive (key: SubscriptionKey, id: string): Promise<void>
  /** Seals a secret or the value of a header, as a definition has them. */
  seal (key: SubscriptionKey, text: string): string
  /** Why a URL cannot be that of an endpoint; undefined when it can. */
  refusalOf (url: string): string | undefined
}
