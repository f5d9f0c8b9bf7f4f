import { refuseUnsendable } from '../streams/index.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const LOWER_U = 0x75
// A character in an escape such as \u00e9, and any other escape.
const UNICODE_LENGTH = 6
const ESCAPE_LENGTH = 2

/** What the bytes of a message are written as: JSON as it is stored, a string with the text, or one with base64. */
export type Written = 'json' | 'text' | 'base64'

/**
 * Refuses what does not fit into a frame of the broker in any case, before it is parsed: to parse it takes long.
 *
 * @param json valid JSON without white space around it
 * @throws StreamsError `message_too_large`
 */
export function refuseSurelyLarge (index: number, json: Buffer, written: Written, frameMaxBytes: number): void {
  if (json.length <= frameMaxBytes) return
  refuseUnsendable(index, leastBytesOf(json, written, frameMaxBytes), frameMaxBytes)
}

// Counts no further than it takes to know that it is too much.
function leastBytesOf (json: Buffer, written: Written, frameMaxBytes: number): number {
  if (written === 'json' || json[0] !== QUOTE) return json.length
  if (written === 'text') return leastLength(json, frameMaxBytes + 1)
  return Math.floor(leastLength(json, 2 * frameMaxBytes) / 4 - 1) * 3
}

function leastLength (json: Buffer, enough: number): number {
  const end = json.length - 1
  let count = 0
  for (let at = 1; at < end && count < enough; count++) {
    if (json[at] !== BACKSLASH) at++
    else at += json[at + 1] === LOWER_U ? UNICODE_LENGTH : ESCAPE_LENGTH
  }
  return count
}
