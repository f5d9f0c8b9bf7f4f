/** Messages as text, to be written. */
export interface Written {
  /** How many messages there are. */
  readonly count: number
  readonly bytes: number
  /** The bytes to write. @param isChunked with the frame of a chunk of HTTP/1.1 */
  buffers: (isChunked: boolean) => readonly Buffer[]
  /** Its memory is held until it is released as often as it was retained. */
  retain: () => void
  release: () => void
}

/** What is missing. */
export interface FeedGap {
  /** As clients are told. */
  readonly data: object
  /** Goes on after it. */
  readonly pass: () => void
}

/** Where a feed stands. */
export interface FeedState {
  /** As clients are told. */
  readonly data: object
  readonly endOfStream: boolean
  /** Whether nothing was taken since. */
  readonly isCurrent: () => boolean
}

/**
 * What comes next; undefined when nothing is at hand: then there are news later. `full`: there is no memory for it at
 * the moment.
 */
export type Fed = { readonly messages: Written } | { readonly gap: FeedGap } | 'full' | undefined

/** Where a live answer has its messages from: a stream, or the partitions of a super stream. */
export interface LiveFeed {
  /** Where a client continues that has everything that was taken. */
  readonly id: number | string
  /** The same, as a member of control events. */
  readonly here: object
  /** Whether it has something to take, or would have. */
  readonly isActive: boolean
  /** Whether everything that has arrived was taken. */
  readonly isAtEnd: boolean
  /** Over how many offsets it has moved since the client was told an id. */
  readonly skipped: number
  /** How long nothing has to be looked at when nothing happens. */
  readonly quietMs: number
  /** @param limit the largest number of messages */
  take: (limit: number) => Fed
  /** The client is told the id. */
  told: () => void
  /** The operating system has taken everything. */
  noteTaken: () => void
  /** Never throws. */
  state: () => Promise<FeedState>
  /** The client takes nothing: what is held for it beside its position is let go until the next `take`. */
  rest: () => void
  /** Finds out what has changed. There are news when something has. */
  look: () => void
  tick: (nowMs: number) => void
  /** Settles when nothing is left to be stored for a consumer; undefined without one. Call it before `close`. */
  end: () => Promise<void> | undefined
  close: () => void
  /** In place of both, when nothing was sent. */
  abandon: () => void
}

/** A live answer, as its feed sees it. */
export interface FeedListener {
  news: () => void
  behind: () => void
  /** The place of its consumer was changed, or is about to be. Everything that was taken so far is noted first. */
  moved: (name: 'reset' | 'active' | 'inactive', data: object) => void
  /** @param error a `StreamsError`, unless something is wrong with the gateway or the caller */
  failed: (error: unknown) => void
}
