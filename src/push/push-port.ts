import type { Position } from '../streams/index.ts'
import type { Attempt } from './endpoint/attempt.ts'
import type { Definition } from './definitions/definition.ts'
import type { Redrive, RedriveRequest, Subscription, SubscriptionKey } from './definitions/definitions.ts'
import type { StatusRecord } from './status/status-record.ts'

/** What a subscription does at the moment, of a stream or of one partition. */
export interface SubscriptionStatus {
  readonly state: 'idle' | 'delivering' | 'retrying' | 'failing' | 'paused' | 'blocked' | 'unassigned'
  readonly reason: string | null
  /** The last word of the owner; undefined before the first. */
  readonly record: StatusRecord | undefined
  readonly storedOffset: number | null
  readonly nextOffset: number | null
  readonly lag: number | null
}

/** A condition on the version that a change is made to; null: there must be none; undefined: any. */
export type IfVersion = number | null | undefined

/**
 * Push subscriptions, for routes. Everything that it promises holds on every instance. Throws StreamsError, and
 * `PushError` for what only subscriptions know.
 */
export interface PushPort {
  /** Creates or replaces. The definition is complete and sealed: see `Sealer`. */
  put (
    key: SubscriptionKey, definition: Definition, ifVersion: IfVersion
  ): Promise<{ subscription: Subscription, isNew: boolean }>
  get (key: SubscriptionKey): Promise<Subscription>
  list (): Promise<readonly Subscription[]>
  delete (key: SubscriptionKey, ifVersion: IfVersion): Promise<void>
  /** Settles when the owner has stopped, or after a few seconds. */
  pause (key: SubscriptionKey): Promise<Subscription>
  resume (key: SubscriptionKey): Promise<Subscription>
  /** Settles when the owner has moved, or after a few seconds. For a super stream: all partitions, or those named. */
  reset (key: SubscriptionKey, to: Position, partitions?: readonly string[]): Promise<Subscription>
  /** @throws PushError `not_standing_there` when it stands elsewhere */
  skip (key: SubscriptionKey, offset: number, partition?: string): Promise<Subscription>
  /** Sends one signed request with an empty message, which belongs to no offset. */
  test (key: SubscriptionKey): Promise<Attempt & { readonly tookMs: number }>
  /** For a stream one, for a super stream one for each partition. */
  status (subscription: Subscription): Promise<ReadonlyMap<string, SubscriptionStatus>>
  startRedrive (key: SubscriptionKey, request: RedriveRequest): Promise<Redrive>
  redrives (key: SubscriptionKey): Promise<readonly Redrive[]>
  endRedrive (key: SubscriptionKey, id: string): Promise<void>
  seal (key: SubscriptionKey, text: string): string
  /** Why a URL cannot be that of an endpoint; undefined when it can. */
  refusalOf (url: string): string | undefined
}
