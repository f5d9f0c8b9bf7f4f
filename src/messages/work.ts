import type { MessageSpan } from './message-scan.ts'

/**
 * How much may be done before others get their turn. A unit is what it takes to scan a byte: some nanoseconds at most.
 */
export interface Work { units: number }

/** Enough for anything. */
export const UNBOUNDED_WORK = Infinity

/** What is done at once: a few milliseconds at most. */
export const WORK_OF_A_TURN = 512 * 1024

const UNITS_OF_MESSAGE = 500
/** The work of making something of a JSON value. */
export const UNITS_OF_VALUE = 200

/** The work of making a message whose body is not parsed. */
export function costOf ({ start, end, values }: MessageSpan): number {
  return end - start + UNITS_OF_MESSAGE + UNITS_OF_VALUE * values
}
