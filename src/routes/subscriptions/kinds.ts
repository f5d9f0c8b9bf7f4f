import { Type, type Static, type TUnsafe } from '@fastify/type-provider-typebox'
import { BROKER_PROBLEMS, StreamParams, SUPER_STREAM_PROBLEMS, SuperStreamParams } from '../../api/schemas.ts'
import type { ResetTarget } from '../../api/consumer-schemas.ts'
import type { ProblemCode } from '../../api/problems.ts'
import {
  RedriveParams, SubscriptionParams, SubscriptionReset, SubscriptionSkip, SuperStreamRedriveParams,
  SuperStreamSubscriptionParams, SuperStreamSubscriptionReset, SuperStreamSubscriptionSkip
} from '../../api/subscription-requests.ts'
import type { SubscriptionKey } from '../../push/definitions/definitions.ts'

/** The stream or super stream of a path. */
export interface SourceNames { readonly stream?: string, readonly superStream?: string }
export interface SubscriptionNames extends SourceNames { readonly subscription: string }
export interface RedriveNames extends SubscriptionNames { readonly redrive: string }

interface ResetBody { readonly to: Static<typeof ResetTarget>, readonly partitions?: readonly string[] }
interface SkipBody { readonly offset: number, readonly partition?: string }

/** What a subscription delivers: a stream, or a super stream. */
export interface SourceKind {
  readonly source: SubscriptionKey['source']
  readonly path: string
  /** In the names of operations: `put{subject}Subscription`. */
  readonly subject: '' | 'SuperStream'
  /** In summaries. */
  readonly of: string
  readonly params: TUnsafe<SourceNames>
  readonly subscriptionParams: TUnsafe<SubscriptionNames>
  readonly redriveParams: TUnsafe<RedriveNames>
  readonly reset: TUnsafe<ResetBody>
  readonly skip: TUnsafe<SkipBody>
  /** Of every operation on one subscription. */
  readonly problems: readonly ProblemCode[]
  /** When the source does not exist. */
  readonly missing: ProblemCode
}

// A partition has the problems of a stream too.
const OF_STREAM = BROKER_PROBLEMS.filter((code) => code !== 'stream_not_found')

export const OF_A_STREAM: SourceKind = {
  source: 'stream',
  path: '/streams/:stream/subscriptions',
  subject: '',
  of: '',
  params: Type.Unsafe(StreamParams),
  subscriptionParams: Type.Unsafe(SubscriptionParams),
  redriveParams: Type.Unsafe(RedriveParams),
  reset: Type.Unsafe(SubscriptionReset),
  skip: Type.Unsafe(SubscriptionSkip),
  problems: [...OF_STREAM, 'push_disabled', 'subscription_not_found'],
  missing: 'stream_not_found'
}

export const OF_A_SUPER_STREAM: SourceKind = {
  source: 'superStream',
  path: '/super-streams/:superStream/subscriptions',
  subject: 'SuperStream',
  of: ' of a super stream',
  params: Type.Unsafe(SuperStreamParams),
  subscriptionParams: Type.Unsafe(SuperStreamSubscriptionParams),
  redriveParams: Type.Unsafe(SuperStreamRedriveParams),
  reset: Type.Unsafe(SuperStreamSubscriptionReset),
  skip: Type.Unsafe(SuperStreamSubscriptionSkip),
  problems: [
    ...SUPER_STREAM_PROBLEMS.filter((code) => code !== 'super_stream_not_found'), 'push_disabled',
    'subscription_not_found'
  ],
  missing: 'super_stream_not_found'
}

export const KINDS = [OF_A_STREAM, OF_A_SUPER_STREAM]

/** Which subscription a path names. */
export function keyOf ({ source }: SourceKind, names: SubscriptionNames): SubscriptionKey {
  return { source, stream: nameOf(names), subscription: names.subscription }
}

/** The name of the stream or super stream of a path. */
export function nameOf ({ stream, superStream }: SourceNames): string {
  return stream ?? superStream ?? ''
}
