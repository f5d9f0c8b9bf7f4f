import type { PublishVersion } from './protocol/index.ts'

/**
 * What a publisher numbers, cuts into frames and sends: entries, encoded. The broker confirms or refuses an entry as a
 * whole. It is one message, or a sub-entry batch of several.
 */
export interface Entries {
  /** The number of entries. */
  readonly count: number
  /** How many messages each entry stands for. */
  readonly messagesPerEntry: number
  /** The encoded size with the headers of the entries, bytes. */
  readonly byteLength: number
  /** The memory that it takes until it is confirmed, bytes. */
  readonly heldBytes: number
  /** The caller's publishing ids, ascending, one for each entry; undefined when the publisher assigns them. */
  readonly publishingIds: readonly number[] | undefined
  readonly hasFilterValues: boolean
  /** The version of the frame that an entry goes into. */
  versionOf (index: number): PublishVersion
  /** The index after the entries, from this one on, that go into a frame of the same version. */
  versionEnd (index: number): number
  /** The encoded size of one entry with its header. */
  entryLength (index: number): number
  /** The entries from `from` up to but not including `to`, as they go into a frame. A view. */
  entries (from: number, to: number): Buffer
  /** Writes the publishing ids `firstId`, `firstId + 1`, ... in place. */
  numberFrom (firstId: number): void
}
