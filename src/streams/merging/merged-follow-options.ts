import type { Lease } from '../common/lease.ts'
import type { Place } from './cursor.ts'
import type { Opener } from './followed-partition.ts'
import type { PartitionGap, Unavailable } from './merged-batch.ts'
import type { Partition, SuperStream } from './partitions.ts'

/** What a follower of a super stream is told. */
export interface MergedFollowListener {
  /** There may be something to take. */
  news: () => void
  /** A reader has moved on without it: it reads on from its own position. */
  behind: () => void
  /** It is the active one for this partition, and messages come from this offset on. */
  activated: (partition: string, nextOffset: number) => void
  /** It is not the active one for this partition, at first or no longer. */
  deactivated: (partition: string, nextOffset: number) => void
  /** The consumer was reset to this place. */
  moved: (partition: string, nextOffset: number) => void
  /** Following has ended with an error. */
  failed: (error: unknown) => void
}

/** Where a follower of a super stream stands. */
export interface MergedState {
  /** Of the partitions for which it is the active one; null: not known at the moment. */
  readonly lag: number | null
  readonly endOfStream: boolean
  /** Partitions that are not followed at the moment. */
  readonly unavailable: readonly Unavailable[]
  /** Whether nothing was taken since. */
  readonly isCurrent: () => boolean
}

export interface MergedFollowOptions {
  readonly superStream: SuperStream
  /** Where to begin in each partition; undefined: a consumer has a place of its own. */
  readonly partitions: ReadonlyArray<{ readonly partition: Partition, readonly offset: number | undefined }>
  readonly otherPlaces: readonly Place[]
  readonly gaps: readonly PartitionGap[]
  /** Where to begin in a partition that is added. */
  readonly addedAt: number | undefined
  /** Whether what there is to take is divided among the members of a group. */
  readonly isShared: boolean
  readonly open: Opener
  /** The partitions now: those that are wanted. @throws what ends the follower, when it is not retryable */
  readonly find: () => Promise<readonly Partition[]>
  /** They are looked up anew: one of them does not exist. */
  readonly forget: () => void
  /** Memory of the read budget; undefined without room. */
  readonly lease: (bytes: number) => Lease | undefined
  readonly listener: MergedFollowListener
}
