import { MAX_OFFSET, type Position } from '../streams/index.ts'

const DECIMAL = /^(?:0|[1-9]\d{0,15})$/

/**
 * A plain decimal integer from 0 to 2^53-1; undefined for anything else, such as `1e3`, `+5`, `05`, ` 5` and the empty
 * text.
 */
export function parseDecimal (text: string): number | undefined {
  const value = DECIMAL.test(text) ? Number(text) : NaN
  return value <= MAX_OFFSET ? value : undefined
}

/** `first`, `last`, `next` or an offset; undefined for anything else. */
export function parsePosition (text: string): Position | undefined {
  if (text === 'first' || text === 'last' || text === 'next') return { type: text }
  const offset = parseDecimal(text)
  return offset === undefined ? undefined : { type: 'offset', offset }
}
