import type { Position } from '../streams/index.ts'
import { parsePosition } from './position.ts'
import { invalidRequest } from './problems.ts'
import { parseTimestamp } from './timestamp.ts'

interface TextFormat { readonly accepts: (text: string) => boolean, readonly message: string }

const POSITION: TextFormat = {
  accepts: (text) => parsePosition(text) !== undefined,
  message: 'must be first, last, next or an offset from 0 to 2^53-1'
}

const TIMESTAMP: TextFormat = {
  accepts: (text) => parseTimestamp(text) !== undefined,
  message: 'must be a time like 2026-01-31T12:00:00.000Z or 2026-01-31T13:00:00+01:00 (RFC 3339; in a query the + is ' +
    'written %2B), not a number'
}

const START: TextFormat = {
  accepts: (text) => POSITION.accepts(text) || TIMESTAMP.accepts(text),
  message: 'must be first, last, next, an offset from 0 to 2^53-1, or a time like 2026-01-31T12:00:00.000Z ' +
    '(RFC 3339; in a query the + is written %2B)'
}

/**
 * The formats of texts that schemas name beyond those of JSON Schema: the check, and the message when it fails. The
 * domain checks names.
 */
export const TEXT_FORMATS: Readonly<Record<string, TextFormat>> = {
  position: POSITION, timestamp: TIMESTAMP, start: START
}

/** The position that a text of the format `position` means. @throws RequestError at `pointer` */
export function toPosition (text: string, pointer: string): Position {
  const position = parsePosition(text)
  if (position === undefined) throw invalidRequest([{ pointer, message: POSITION.message }])
  return position
}

/** The position that a text of the format `timestamp` means. @throws RequestError at `pointer` */
export function toTimePosition (text: string, pointer: string): Position {
  const timestamp = parseTimestamp(text)
  if (timestamp === undefined) throw invalidRequest([{ pointer, message: TIMESTAMP.message }])
  return { type: 'timestamp', timestamp }
}

/** The position that a text of the format `start` means: a position or a time. @throws RequestError at `pointer` */
export function toStart (text: string, pointer: string): Position {
  const timestamp = parseTimestamp(text)
  if (timestamp !== undefined) return { type: 'timestamp', timestamp }
  const position = parsePosition(text)
  if (position === undefined) throw invalidRequest([{ pointer, message: START.message }])
  return position
}
