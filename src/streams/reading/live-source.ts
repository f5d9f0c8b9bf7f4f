import type { StreamsError } from '../errors.ts'
import type { ChunkPart, PartBounds } from './chunk-part.ts'
import type { HeldChunk } from './held-chunk.ts'
import type { Gap } from './read-pieces.ts'

/** What a follower of a stream is told. */
export interface FollowListener {
  /** There may be something to take. */
  news: () => void
  /** Its reader has moved on without it: it reads on from its own position. */
  behind: () => void
  /** Following has ended with an error. `overloaded` means that all readers are in use. */
  failed: (error: StreamsError) => void
}

/** What comes next: a chunk that has the position in it, or offsets that retention has removed. */
export type Taken =
  | { readonly kind: 'chunk', readonly chunk: HeldChunk }
  | { readonly kind: 'gap', readonly gap: Gap }

/** What was taken. */
export type Progress = Pick<ChunkPart, 'to' | 'lastEnd' | 'count'>

/** Where a follower stands. Null: not known at the moment. */
export interface FollowState {
  readonly nextOffset: number
  readonly lastOffset: number | null
  readonly lag: number | null
  readonly endOfStream: boolean
}

/** A position in a stream that moves along with it. What follows it is shared by all who follow the stream. */
export interface LiveSource {
  readonly stream: string
  readonly position: number
  /** Whether everything that has arrived was taken. */
  readonly isAtEnd: boolean
  /** What comes next; undefined when nothing is at hand. Then there are news later. */
  take: () => Taken | undefined
  /** Messages of the chunk. Release what this returns. */
  part: (chunk: HeldChunk, bounds: PartBounds) => ChunkPart | Promise<ChunkPart>
  /** Everything before `to` was taken, which was this number of messages, or nothing in it was wanted. */
  advance: (part: Progress) => void
  /** With a filter: finds out how far the broker has come with what it leaves out. There are news when it has. */
  look: () => void
  /** Nothing is taken for a while: it lets its reader and that one's memory go. `take` finds a reader again. */
  rest: () => void
  /** Goes on somewhere else. */
  seek: (offset: number) => void
  /** Never throws. */
  state: () => Promise<FollowState>
  close: () => void
}
