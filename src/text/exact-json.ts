import { randomUUID } from 'node:crypto'
import { parseJson } from './json.ts'

/*
 * JSON.parse makes a double of every number: 9007199254740993 becomes 9007199254740992, and 1e400 becomes a value that
 * JSON cannot express. Where a value is written again as JSON text, such numbers pass through JSON.parse as texts with
 * a mark, and the new text has them as the old one did.
 */

// No caller knows the mark, so no text of a caller is taken for a number.
const MARK = `${randomUUID()}:`
const MARKED = new RegExp(`"${MARK}([^"]*)"`, 'g')

// Only texts that match this are searched for numbers. JSON.parse keeps every number of up to 15 digits.
const SUSPICIOUS = /\d[\d.]{15}|\d[eE]/
const QUOTE = 0x22
const BACKSLASH = 0x5c
const MAX_SURE_LENGTH = 15

/** A parsed JSON text: as JavaScript sees it, and, for `exactText`, with all digits. The two differ only in numbers. */
export interface ExactJson { readonly value: unknown, readonly exact: unknown }

/** @throws TextFault as `parseJson` */
export function parseExactly (text: string): ExactJson {
  const value = parseJson(text)
  const marked = SUSPICIOUS.test(text) ? markNumbers(text) : text
  return { value, exact: marked === text ? value : JSON.parse(marked) }
}

/**
 * The JSON text of (a part of) `exact`.
 *
 * @throws RangeError when the value nests too deeply: writing recurses, parsing does not
 */
export function exactText (exact: unknown): string {
  const text = JSON.stringify(exact)
  return text.includes(MARK) ? text.replaceAll(MARKED, '$1') : text
}

// The text is valid JSON here.
function markNumbers (text: string): string {
  let marked = ''
  let copied = 0
  for (let at = 0; at < text.length;) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      at = endOfString(text, at)
    } else if (isDigit(code) || code === 0x2d) {
      const end = endOfNumber(text, at)
      const number = text.slice(at, end)
      if (number.length > MAX_SURE_LENGTH || /e/i.test(number)) {
        marked += `${text.slice(copied, at)}"${MARK}${number}"`
        copied = end
      }
      at = end
    } else {
      at++
    }
  }
  return copied === 0 ? text : marked + text.slice(copied)
}

function endOfString (text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    let backslashes = 0
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes++
    if (backslashes % 2 === 0) return end + 1
  }
}

function endOfNumber (text: string, start: number): number {
  let end = start + 1
  for (
    let code = text.charCodeAt(end);
    isDigit(code) || code === 0x2e || code === 0x2b || code === 0x2d || code === 0x65 || code === 0x45;
    code = text.charCodeAt(end)
  ) end++
  return end
}

function isDigit (code: number): boolean {
  return code >= 0x30 && code <= 0x39
}
