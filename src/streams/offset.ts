/**
 * Offsets and positions.
 *
 * An offset of a message is a `number`: a stream counts its records, so 2^53 of them would take a century and a half
 * at a million and a half a second, and a chunk that claims more is refused where it enters. A *stored* offset or a
 * publisher's last id is a `bigint`: any client may have stored any 64 bits.
 */

/** The largest offset, and the largest publishing id, that a caller may name. */
export const MAX_OFFSET = Number.MAX_SAFE_INTEGER

/**
 * Where a read starts. `last`: the last message; `next`: after it; `timestamp`: ms since the epoch, the first message
 * stored at or after it.
 */
export type Position =
  | { readonly type: 'first' | 'last' | 'next' }
  | { readonly type: 'offset', readonly offset: number }
  | { readonly type: 'timestamp', readonly timestamp: number }

/**
 * Where a consumer that stored `stored` goes on. The stored offset is the last one processed; a stored 0 resumes at 0,
 * because 0 is also what `rabbitmq-streams reset_offset` writes for "from the beginning".
 */
export function resumeOffset (stored: bigint): bigint {
  return stored === 0n ? 0n : stored + 1n
}
