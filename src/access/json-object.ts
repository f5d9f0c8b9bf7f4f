import { JsonScanner } from '../text/json-scanner.ts'
import { decodeUtf8, parseJson } from '../text/json.ts'

const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const COMMA = 0x2c

// No provider nests claims deeper.
const MAX_DEPTH = 16

/** The members of a JSON object that came from outside. */
export type JsonObject = Readonly<Record<string, unknown>>

/** Whether a parsed JSON value is an object. */
export function isJsonObject (value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Parses a part of a token, or a file that says who may call. A member that is there twice is refused at any depth:
 * JSON parsers differ in which of the two they take, so that a provider and the gateway could read different things.
 *
 * @throws TextFault, JsonFault or RangeError when it is not such an object
 */
export function parseJsonObject (bytes: Buffer): JsonObject {
  const value = parseJson(decodeUtf8(bytes))
  if (!isJsonObject(value)) throw new RangeError('is not a JSON object')
  passValue(new JsonScanner(bytes), 0)
  return value
}

// The text is JSON already.
function passValue (scanner: JsonScanner, depth: number): void {
  const first = scanner.next()
  if (first !== OPEN_OBJECT && first !== OPEN_ARRAY) {
    scanner.passValue(Infinity)
    return
  }
  if (depth === MAX_DEPTH) throw new RangeError('nests too deeply')
  scanner.at++
  const isObject = first === OPEN_OBJECT
  const keys = new Set<unknown>()
  while (scanner.next() !== (isObject ? CLOSE_OBJECT : CLOSE_ARRAY)) {
    if (isObject) passKey(scanner, keys)
    passValue(scanner, depth + 1)
    if (scanner.next() === COMMA) scanner.at++
  }
  scanner.at++
}

function passKey (scanner: JsonScanner, keys: Set<unknown>): void {
  const { start, end } = scanner.passKey()
  // Parsed, because "\u0061" and "a" are the same key.
  const key: unknown = JSON.parse(scanner.bytes.toString('utf8', start - 1, end + 1))
  if (keys.has(key)) throw new RangeError('has a member twice')
  keys.add(key)
}
