import type { ReadBatch } from '../reading/read-batch.ts'
import type { Start } from './held-poll.ts'

/** A batch that answers a consumer. */
export interface ConsumerBatch extends ReadBatch {
  /**
   * What to store when all messages of the batch are processed. It covers records that are no messages too. Null when
   * storing it would not move the consumer.
   */
  readonly commitOffset: number | null
}

/** See `ConsumerBatch.commitOffset`. All offsets from the start to `nextOffset` are in the batch, or are no messages. */
export function commitOffsetOf ({ nextOffset }: ReadBatch, { resumesAt }: Start): number | null {
  return nextOffset > resumesAt ? nextOffset - 1 : null
}
