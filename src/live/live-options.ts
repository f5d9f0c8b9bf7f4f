import type { LiveFeed } from './live-feed.ts'
import type { LiveFormat } from './live-format.ts'
import type { Pace } from './pace.ts'

/** Why a live answer has ended properly. */
export type ByeReason = 'limit' | 'rotation' | 'draining' | 'slow'

/** Where a live answer goes. */
export interface LiveSink {
  /** Whether it takes chunks with their frames of HTTP/1.1. */
  readonly isChunked: boolean
  /** What it was given and the operating system has not taken. */
  readonly pendingBytes: number
  /**
   * Whether nothing may be written at the moment, since the caller has read more than its quota. Then `paid` is called
   * once, when to ask again.
   */
  hasToWait: (paid: () => void) => boolean
  /** False when it is full: then `LiveAnswer.drained` is to be called. */
  write: (buffers: readonly Buffer[]) => boolean
  /** No more comes. */
  end: () => void
  destroy: () => void
}

/** Figures of all live answers. */
export interface LiveFigures {
  delivered: (messages: number, bytes: number) => void
  stalled: () => void
  /** One reads on from its own position. */
  behind: () => void
  bye: (reason: ByeReason) => void
}

/** Keeps the offset of a consumer. */
export interface LivePlace {
  /** @param taken the offset before which the operating system has taken everything */
  tick: (nowMs: number, taken: number) => void
  /** Settles when everything is stored that is to be. Never throws. */
  end: (taken: number) => Promise<void>
}

export interface LiveAnswerOptions {
  readonly feed: LiveFeed
  readonly sink: LiveSink
  readonly format: LiveFormat
  /** Whether only some messages are wanted. */
  readonly isFiltered: boolean
  readonly figures: LiveFigures
  /** Of all answers. */
  readonly pace: Pace
  readonly heartbeatMs: number
  /** Ends after this number of messages. */
  readonly limit: number
  /** Whether the client wants state events. */
  readonly hasControl: boolean
  /** When it is ended so that connections spread over instances, by performance.now(). */
  readonly rotateAtMs: number
  /** Told of the end, once. */
  readonly whenEnded: (reason: string) => void
}
