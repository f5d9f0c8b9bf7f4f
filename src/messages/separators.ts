const SEPARATORS = /[\u0085\u2028\u2029]/g

/**
 * The same JSON text with U+0085, U+2028 and U+2029 escaped. JSON allows them in strings, and nowhere else, but
 * Python's `splitlines` and other readers of lines take them for the end of a line.
 */
export function escapeSeparators (json: string): string {
  // Three searches for one character are faster than one search by an expression.
  return json.includes('\u2028') || json.includes('\u2029') || json.includes('\u0085')
    ? json.replace(SEPARATORS, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
    : json
}
