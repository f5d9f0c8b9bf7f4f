import type { FrameReader } from './frame-reader.ts'
import type { FrameWriter } from './frame-writer.ts'
import { MalformedFrameError } from './errors.ts'

/**
 * Where a subscription starts. `last`: at the last chunk. `next`: after the last chunk. `offset`: at the chunk that
 * holds the offset, so messages below it are delivered too; for an offset below the first or above the last one the
 * broker takes the nearest one it has. `timestamp`: milliseconds since the epoch; at the first chunk written at or
 * after it.
 */
export type OffsetSpec =
  | { readonly type: 'first' | 'last' | 'next' }
  | { readonly type: 'offset', readonly offset: number | bigint }
  | { readonly type: 'timestamp', readonly timestamp: number }

const OffsetType = { none: 0, first: 1, last: 2, next: 3, offset: 4, timestamp: 5 } as const

/**
 * OffsetSpecification => OffsetType [Offset]
 *   OffsetType => uint16 // 0 none (only in the answer to ConsumerUpdate), 1 first, 2 last, 3 next, 4 offset,
 *                        // 5 timestamp
 *   Offset     => uint64 for an offset, int64 for a timestamp; absent for the others
 */
export function writeOffsetSpec (writer: FrameWriter, spec: OffsetSpec | undefined): void {
  if (spec === undefined) {
    writer.u16(OffsetType.none)
    return
  }
  writer.u16(OffsetType[spec.type])
  if (spec.type === 'offset') writer.u64(BigInt(spec.offset))
  else if (spec.type === 'timestamp') writer.i64(BigInt(Math.trunc(spec.timestamp)))
}

/** Reads a specification whose type must be an offset. */
export function readResolvedOffset (reader: FrameReader): number {
  const type = reader.u16()
  if (type !== OffsetType.offset) {
    throw new MalformedFrameError(`the broker resolved an offset specification to type ${type}`)
  }
  const offset = reader.u64AsNumber()
  if (offset === undefined) {
    throw new MalformedFrameError('the broker resolved an offset specification to an offset above 2^53 - 1')
  }
  return offset
}
