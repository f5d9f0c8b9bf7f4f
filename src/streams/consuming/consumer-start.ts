import type { Position } from '../offset.ts'
import type { ConsumerOffsets } from './consumer-offsets.ts'

/** Where a read begins, and what is stored as long as that is right. */
export interface Start {
  readonly from: Position
  /** The first offset that the consumer has not processed. A read that is held may begin later. */
  readonly resumesAt: number
  readonly stored: bigint | undefined
}

/**
 * Where a consumer reads on: after its stored offset. When none is stored, `fallback` becomes its place: unless it is
 * `first`, it is stored, so that a later read continues there.
 *
 * @throws StreamsError what `ConsumerOffsets.find` and `ConsumerOffsets.fix` throw
 */
export async function consumerStart (
  offsets: ConsumerOffsets, stream: string, consumer: string, fallback: Position, signal: AbortSignal
): Promise<Start> {
  const current = await offsets.find(stream, consumer) ??
    (fallback.type === 'first' ? undefined : await offsets.fix(stream, consumer, fallback, signal))
  if (current !== undefined) {
    const offset = Number(offsets.nextOffsetOf(stream, consumer, current))
    return { stored: current, resumesAt: offset, from: { type: 'offset', offset } }
  }
  // From 0, and not from what is there now: the broker forgets the offset of a consumer that retention has overtaken,
  // which then looks like a new one. What it has missed is a gap.
  const from: Position = fallback.type === 'first' ? { type: 'offset', offset: 0 } : fallback
  return { stored: undefined, resumesAt: 0, from }
}
