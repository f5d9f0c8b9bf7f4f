/**
 * Messages that lie one after the other in memory, `[Length uint32, Bytes]`, with offsets that follow each other. Most
 * reads walk over them in place: an object and a view for each message would cost more than everything else.
 */
export interface EntryRun {
  readonly kind: 'run'
  /** Of the first message. */
  readonly offset: number
  /** When their chunk was written, ms since the epoch, by the broker's clock. */
  readonly timestamp: number
  readonly data: Buffer
  /** Where the length of the first message stands. */
  readonly start: number
  /** After the last message. */
  readonly end: number
  readonly count: number
}

/** A message as it is stored. It is decoded only where it is needed. */
export interface Entry {
  readonly kind: 'entry'
  readonly offset: number
  /** When its chunk was written, ms since the epoch, by the broker's clock. */
  readonly timestamp: number
  /** What the publisher wrote: AMQP 1.0 from most clients, but the broker stores any bytes. */
  readonly bytes: Uint8Array
}

/**
 * Records that cannot be told apart, because their compression is unknown or their bytes are broken. It stands for
 * `records` messages from `offset` on.
 */
export interface Unreadable {
  readonly kind: 'unreadable'
  readonly offset: number
  readonly timestamp: number
  readonly bytes: Uint8Array
  readonly records: number
  readonly compression: string
  readonly reason: string
}

export type ReadMessage = Entry | Unreadable
export type ReadPiece = EntryRun | Unreadable

/** What retention has removed, `to` included. */
export interface Gap { readonly from: number, readonly to: number }

/** Size of the length that precedes each message of a run. */
export const ENTRY_LENGTH_BYTES = 4
