/**
 * Offsets and positions.
 *
 * The offset of a message is a `number`. A stream counts its records, so 2^53 of them would take nearly two centuries
 * at a million and a half a second, and a chunk with higher offsets is refused when it is parsed. A *stored* offset and
 * a publisher's last publishing id are a `bigint`, because any client may have stored any 64 bits.
 */

/** The largest offset and the largest publishing id that a caller may pass. */
export const MAX_OFFSET = Number.MAX_SAFE_INTEGER

/**
 * Where a read starts. `last`: at the last message. `next`: after the last message. `timestamp`: ms since the epoch; at
 * the first message stored at or after it.
 */
export type Position =
  | { readonly type: 'first' | 'last' | 'next' }
  | { readonly type: 'offset', readonly offset: number }
  | { readonly type: 'timestamp', readonly timestamp: number }

/**
 * Where a consumer with the stored offset `stored` continues: after it, because the stored offset is the last one
 * processed. A stored 0 resumes at 0, because `rabbitmq-streams reset_offset` writes 0 for "from the beginning".
 */
export function resumeOffset (stored: bigint): bigint {
  return stored === 0n ? 0n : stored + 1n
}
