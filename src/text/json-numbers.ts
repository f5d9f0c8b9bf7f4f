import { pointerTo } from './json-pointer.ts'

const QUOTE = '"'
const COLON_AHEAD = /[ \t\r\n]*:/y
const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y

/** An open bracket: the last key of an object, or the index of an array. */
interface Level { key: string | number }

/**
 * The JSON pointer of the first number that JSON.parse turns into a whole number which was not written: `1e-400`
 * becomes 0, `0.99999999999999999999` becomes 1. Undefined when there is none.
 *
 * @param text valid JSON
 */
export function findRounded (text: string): string | undefined {
  const levels: Level[] = []
  for (let at = 0; at < text.length;) {
    const character = text[at]
    const level = levels[levels.length - 1]
    if (character === QUOTE) {
      const end = endOfString(text, at)
      // A string before a colon is a key.
      if (level !== undefined && isKey(text, end)) level.key = String(JSON.parse(text.slice(at, end)))
      at = end
    } else if (character === '-' || (character !== undefined && character >= '0' && character <= '9')) {
      NUMBER.lastIndex = at
      const end = NUMBER.test(text) ? NUMBER.lastIndex : at + 1
      if (isRounded(text.slice(at, end))) return levels.reduce((pointer, { key }) => pointerTo(pointer, key), '')
      at = end
    } else {
      if (character === '{') levels.push({ key: '' })
      if (character === '[') levels.push({ key: 0 })
      if (character === '}' || character === ']') levels.pop()
      if (character === ',' && typeof level?.key === 'number') level.key++
      at++
    }
  }
  return undefined
}

/**
 * Whether JSON.parse takes the text of a number for another whole number up to 2^53-1. Larger ones have lost digits in
 * any case: they are refused wherever a whole number is asked for.
 */
export function isRounded (text: string): boolean {
  // A whole number times a power of ten is exact, as far as JSON.parse gives a number up to 2^53-1.
  if (!text.includes('.') && !text.includes('-', 1)) return false
  const value = Number(text)
  if (!Number.isSafeInteger(value)) return false
  const [, whole = '', fraction = '', exponent = '0'] = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? []
  const digits = `${whole}${fraction}`.replace(/^0+/, '')
  if (digits === '') return false
  // A pattern for the zeros at the end would begin anew at each zero before them.
  let end = digits.length
  while (digits[end - 1] === '0') end--
  const significant = digits.slice(0, end)
  const zeros = Number(exponent) - fraction.length + digits.length - significant.length
  // The value is below 2^53, so these are at most 16 digits.
  return zeros < 0 || BigInt(significant) * 10n ** BigInt(zeros) !== BigInt(Math.abs(value))
}

function isKey (text: string, end: number): boolean {
  COLON_AHEAD.lastIndex = end
  return COLON_AHEAD.test(text)
}

function endOfString (text: string, start: number): number {
  for (let end = text.indexOf(QUOTE, start + 1); ; end = text.indexOf(QUOTE, end + 1)) {
    let backslashes = 0
    while (text[end - 1 - backslashes] === '\\') backslashes++
    if (backslashes % 2 === 0) return end + 1
  }
}
