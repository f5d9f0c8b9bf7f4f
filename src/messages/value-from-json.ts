import { pointerTo } from '../text/json-pointer.ts'
import { arrayFault, MAX_DEPTH } from '../streams/index.ts'
import type { AmqpMap, AmqpValue } from '../streams/index.ts'
import { MessageFormatError } from './format-error.ts'
import { expectString, expectUnicode, parseBase64, parseTime } from './json-parts.ts'
import { valueJson } from './value-to-json.ts'

/**
 * The AMQP value that a JSON value stands for: the write side of the table in docs/messages.md. `depth` is the depth of
 * the value in its section, counted as the decoder counts.
 */
export function parseValue (json: unknown, pointer: string, depth: number): AmqpValue {
  switch (typeof json) {
    case 'string': return { type: 'string', value: expectUnicode(json, pointer) }
    case 'boolean': return { type: 'boolean', value: json }
    case 'number': return parseNumber(json, pointer)
    default:
      if (json === null) return { type: 'null' }
      if (Array.isArray(json)) return { type: 'list', value: parseElements(json, pointer, depth) }
      if (!isObject(json)) throw new MessageFormatError(pointer, 'must be a JSON value')
      if (Object.hasOwn(json, '$type')) return parseTagged(json, pointer, depth)
      return { type: 'map', value: parseMap(json, 'string', pointer, depth) }
  }
}

/** A map, plain or tagged. `keyType` is the type of plain keys. */
export function parseMap (json: unknown, keyType: 'string' | 'symbol', pointer: string, depth: number): AmqpMap {
  if (!isObject(json)) throw new MessageFormatError(pointer, 'must be an object')
  if (Object.hasOwn(json, '$type')) {
    const tagged = parseTagged(json, pointer, depth)
    if (tagged.type !== 'map') {
      throw new MessageFormatError(
        pointer,
        'must be an object or a tagged map; a key named $type needs the tagged form'
      )
    }
    return tagged.value
  }
  expectDepth(depth, pointer)
  // Own keys only, so that __proto__ is a key like any other.
  return Object.entries(json).map(([key, value]) => {
    const keyPointer = pointerTo(pointer, key)
    return [{ type: keyType, value: expectUnicode(key, keyPointer) }, parseValue(value, keyPointer, depth + 1)] as const
  })
}

type ContentParser = (json: unknown, pointer: string, depth: number) => AmqpValue

/** How "value" of a tagged value is read, by "$type". */
const CONTENT_PARSERS = {
  null: parseNull,
  boolean: parseBoolean,
  ubyte: (json, pointer) => ({ type: 'ubyte', value: parseInteger(json, pointer, 0n, 0xffn) }),
  ushort: (json, pointer) => ({ type: 'ushort', value: parseInteger(json, pointer, 0n, 0xffffn) }),
  uint: (json, pointer) => ({ type: 'uint', value: parseInteger(json, pointer, 0n, 0xffff_ffffn) }),
  ulong: (json, pointer) => ({ type: 'ulong', value: parseBigInteger(json, pointer, 0n, 2n ** 64n - 1n) }),
  byte: (json, pointer) => ({ type: 'byte', value: parseInteger(json, pointer, -0x80n, 0x7fn) }),
  short: (json, pointer) => ({ type: 'short', value: parseInteger(json, pointer, -0x8000n, 0x7fffn) }),
  int: (json, pointer) => ({ type: 'int', value: parseInteger(json, pointer, -0x8000_0000n, 0x7fff_ffffn) }),
  long: (json, pointer) => ({ type: 'long', value: parseBigInteger(json, pointer, -(2n ** 63n), 2n ** 63n - 1n) }),
  float: parseFloat32,
  double: (json, pointer) => ({ type: 'double', value: parseDouble(json, pointer) }),
  decimal32: (json, pointer) => ({ type: 'decimal32', value: parseBytes(json, pointer, 4) }),
  decimal64: (json, pointer) => ({ type: 'decimal64', value: parseBytes(json, pointer, 8) }),
  decimal128: (json, pointer) => ({ type: 'decimal128', value: parseBytes(json, pointer, 16) }),
  char: parseChar,
  timestamp: (json, pointer) => ({ type: 'timestamp', value: parseTime(json, pointer) }),
  uuid: parseUuid,
  binary: (json, pointer) => ({ type: 'binary', value: parseBase64(json, pointer) }),
  string: (json, pointer) => ({ type: 'string', value: expectUnicode(expectString(json, pointer, 'text'), pointer) }),
  symbol: (json, pointer) => ({ type: 'symbol', value: expectUnicode(expectString(json, pointer, 'text'), pointer) }),
  list: (json, pointer, depth) => ({ type: 'list', value: parseElements(json, pointer, depth) }),
  array: parseArray,
  map: (json, pointer, depth) => ({ type: 'map', value: parsePairs(json, pointer, depth) })
} satisfies Record<Exclude<AmqpValue['type'], 'described'>, ContentParser>

const PARSER_BY_TYPE: ReadonlyMap<unknown, ContentParser> = new Map<unknown, ContentParser>(
  Object.entries(CONTENT_PARSERS)
)

/** Every name that "$type" may have. */
export const VALUE_TYPES: readonly string[] = [...Object.keys(CONTENT_PARSERS), 'described']

function parseTagged (json: Readonly<Record<string, unknown>>, pointer: string, depth: number): AmqpValue {
  const isDescribed = json['$type'] === 'described'
  for (const key of Object.keys(json)) {
    if (key !== '$type' && key !== 'value' && !(isDescribed && key === 'descriptor')) {
      throw new MessageFormatError(
        pointerTo(pointer, key),
        'must not stand beside "$type"; an object with a key of that name is written as a tagged map'
      )
    }
  }
  if (!Object.hasOwn(json, 'value')) throw new MessageFormatError(pointer, 'must have "value" beside "$type"')
  if (isDescribed) {
    if (!Object.hasOwn(json, 'descriptor')) {
      throw new MessageFormatError(pointer, 'must have "descriptor" beside "$type"')
    }
    expectDepth(depth, pointer)
    const descriptor = parseValue(json['descriptor'], pointerTo(pointer, 'descriptor'), depth + 1)
    return { type: 'described', descriptor, value: parseValue(json['value'], pointerTo(pointer, 'value'), depth + 1) }
  }
  const parser = PARSER_BY_TYPE.get(json['$type'])
  if (parser === undefined) {
    throw new MessageFormatError(pointerTo(pointer, '$type'), `must be one of ${VALUE_TYPES.join(', ')}`)
  }
  return parser(json['value'], pointerTo(pointer, 'value'), depth)
}

function parseNumber (json: number, pointer: string): AmqpValue {
  if (Number.isSafeInteger(json)) {
    return json >= -0x8000_0000 && json <= 0x7fff_ffff
      ? { type: 'int', value: json }
      : { type: 'long', value: BigInt(json) }
  }
  // A whole number beyond 2^53 may have lost digits on its way here.
  if (!Number.isFinite(json) || Number.isInteger(json)) {
    throw new MessageFormatError(
      pointer,
      'is beyond the whole numbers that JSON keeps: write {"$type":"long","value":"..."}, or "ulong" or "double"'
    )
  }
  return { type: 'double', value: json }
}

function parseElements (json: unknown, pointer: string, depth: number): AmqpValue[] {
  if (!Array.isArray(json)) throw new MessageFormatError(pointer, 'must be an array')
  expectDepth(depth, pointer)
  return json.map((element, index) => parseValue(element, pointerTo(pointer, index), depth + 1))
}

function parseArray (json: unknown, pointer: string, depth: number): AmqpValue {
  const value = parseElements(json, pointer, depth)
  const fault = arrayFault(value)
  if (fault !== undefined) throw new MessageFormatError(pointer, fault)
  return { type: 'array', value }
}

function parsePairs (json: unknown, pointer: string, depth: number): AmqpMap {
  if (!Array.isArray(json)) throw new MessageFormatError(pointer, 'must be an array of [key, value] pairs')
  expectDepth(depth, pointer)
  const seen = new Set<string>()
  return json.map((pair, index) => {
    const pairPointer = pointerTo(pointer, index)
    if (!Array.isArray(pair) || pair.length !== 2) {
      throw new MessageFormatError(pairPointer, 'must be a [key, value] pair')
    }
    const key = parseValue(pair[0], pointerTo(pairPointer, 0), depth + 1)
    const keyJson = valueJson(key)
    if (seen.has(keyJson)) {
      throw new MessageFormatError(pointerTo(pairPointer, 0), 'must not be the key of an earlier pair')
    }
    seen.add(keyJson)
    return [key, parseValue(pair[1], pointerTo(pairPointer, 1), depth + 1)] as const
  })
}

function parseNull (json: unknown, pointer: string): AmqpValue {
  if (json !== null) throw new MessageFormatError(pointer, 'must be null')
  return { type: 'null' }
}

function parseBoolean (json: unknown, pointer: string): AmqpValue {
  if (typeof json !== 'boolean') throw new MessageFormatError(pointer, 'must be true or false')
  return { type: 'boolean', value: json }
}

function parseInteger (json: unknown, pointer: string, least: bigint, most: bigint): number {
  return Number(parseBigInteger(json, pointer, least, most))
}

/** A JSON integer up to 2^53-1, or digits in a string. */
function parseBigInteger (json: unknown, pointer: string, least: bigint, most: bigint): bigint {
  const isDigits = typeof json === 'string' && /^(0|-?[1-9]\d{0,19})$/.test(json)
  if (isDigits || (typeof json === 'number' && Number.isSafeInteger(json))) {
    const value = BigInt(json)
    if (value >= least && value <= most) return value
  }
  throw new MessageFormatError(pointer, `must be a whole number from ${least} to ${most}, beyond 2^53-1 as a string`)
}

const NUMBERS_BY_NAME: ReadonlyMap<unknown, number> = new Map<unknown, number>([
  ['NaN', NaN], ['Infinity', Infinity], ['-Infinity', -Infinity], ['-0', -0]
])

function parseDouble (json: unknown, pointer: string): number {
  const value = typeof json === 'number' && Number.isFinite(json) ? json : NUMBERS_BY_NAME.get(json)
  if (value === undefined) {
    throw new MessageFormatError(pointer, 'must be a number, or "NaN", "Infinity", "-Infinity" or "-0"')
  }
  return value
}

function parseFloat32 (json: unknown, pointer: string): AmqpValue {
  const value = Math.fround(parseDouble(json, pointer))
  if (typeof json === 'number' && !Number.isFinite(value)) {
    throw new MessageFormatError(pointer, 'is too large for a float')
  }
  return { type: 'float', value }
}

function parseChar (json: unknown, pointer: string): AmqpValue {
  if (typeof json === 'number') return { type: 'char', value: parseInteger(json, pointer, 0n, 0x10ffffn) }
  const [first, ...others] = expectString(json, pointer, 'one character')
  const value = first?.codePointAt(0)
  if (value === undefined || others.length > 0) {
    throw new MessageFormatError(pointer, 'must be one character, or its code point as a number')
  }
  return { type: 'char', value }
}

function parseUuid (json: unknown, pointer: string): AmqpValue {
  const text = expectString(json, pointer, 'UUID').toLowerCase()
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)) throw new MessageFormatError(pointer, 'must be a UUID')
  return { type: 'uuid', value: text }
}

function parseBytes (json: unknown, pointer: string, length: number): Buffer {
  const bytes = parseBase64(json, pointer)
  if (bytes.length !== length) throw new MessageFormatError(pointer, `must be ${length} bytes in base64`)
  return bytes
}

function expectDepth (depth: number, pointer: string): void {
  if (depth > MAX_DEPTH) throw new MessageFormatError(pointer, `must not nest deeper than ${MAX_DEPTH} levels`)
}

function isObject (json: unknown): json is Readonly<Record<string, unknown>> {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}
