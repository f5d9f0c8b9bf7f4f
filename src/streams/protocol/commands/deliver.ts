import type { Push } from './command.ts'

export interface Delivery {
  readonly subscriptionId: number
  /**
   * The first offset of the last chunk that a majority has; undefined in version 1, and before the first such chunk.
   */
  readonly committedChunkId: number | undefined
  /** Where the chunk lies. `isOwn`: the buffer holds only this frame and may be kept. */
  readonly chunk: { readonly buffer: Buffer, readonly start: number, readonly end: number, readonly isOwn: boolean }
}

/**
 * v1: SubscriptionId uint8, Chunk
 * v2: SubscriptionId uint8, CommittedChunkId uint64, Chunk
 *
 * The broker uses the highest version that both sides named in ExchangeCommandVersions. It writes "none committed", -1,
 * as an unsigned number.
 */
export const deliver: Push<Delivery> = {
  name: 'deliver',
  read (reader, version) {
    const subscriptionId = reader.u8()
    const committedChunkId = version === 1 ? undefined : reader.u64AsNumber()
    return { subscriptionId, committedChunkId, chunk: reader.rest() }
  }
}
