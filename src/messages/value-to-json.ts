import type { AmqpMap, AmqpValue } from '../streams/index.ts'
import { base64Of, timeOf } from './json-parts.ts'

/**
 * The JSON text of an AMQP value: the read side of the table in docs/messages.md. A value that plain JSON would not
 * give back with the same type is tagged: `{"$type":"ulong","value":"1"}`.
 */
export function valueJson (value: AmqpValue): string {
  switch (value.type) {
    case 'null': return 'null'
    case 'boolean': return value.value ? 'true' : 'false'
    case 'string': return JSON.stringify(value.value)
    case 'int': return String(value.value)
    case 'long': return isPlainLong(value.value) ? String(value.value) : taggedJson(value)
    case 'double': return isPlainDouble(value.value) ? String(value.value) : taggedJson(value)
    case 'list': return listJson(value.value)
    case 'map': return mapJson(value.value, 'string')
    default: return taggedJson(value)
  }
}

/** The same, always with its type. */
export function taggedJson (value: AmqpValue): string {
  if (value.type !== 'described') return `{"$type":"${value.type}","value":${contentJson(value)}}`
  return `{"$type":"described","descriptor":${valueJson(value.descriptor)},"value":${valueJson(value.value)}}`
}

/**
 * A map as a JSON object; as a tagged list of pairs when not all keys are of the plain type, or when a key occurs twice
 * or is `$type`. Keys of annotations are symbols; the strings that some clients write there count as symbols.
 */
export function mapJson (entries: AmqpMap, keyType: 'string' | 'symbol'): string {
  const seen = new Set<string>()
  let text = ''
  for (const [key, value] of entries) {
    const isPlain = key.type === 'string' || (key.type === 'symbol' && keyType === 'symbol')
    if (!isPlain || key.value === '$type' || seen.has(key.value)) return `{"$type":"map","value":${pairsJson(entries)}}`
    seen.add(key.value)
    text += `${text === '' ? '' : ','}${JSON.stringify(key.value)}:${valueJson(value)}`
  }
  return `{${text}}`
}

export function listJson (values: readonly AmqpValue[]): string {
  let text = ''
  for (const value of values) text += (text === '' ? '' : ',') + valueJson(value)
  return `[${text}]`
}

const MAX_INT = 2n ** 31n - 1n
const MIN_INT = -(2n ** 31n)
const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER)

/** A JSON integer that fits into 32 bits is an int, so only a larger or smaller one can be a long without a tag. */
function isPlainLong (value: bigint): boolean {
  return (value > MAX_INT && value <= MAX_SAFE) || (value < MIN_INT && value >= -MAX_SAFE)
}

/** A whole number in JSON is an integer, and JSON has neither infinities nor NaN. */
function isPlainDouble (value: number): boolean {
  return Number.isFinite(value) && !Number.isInteger(value)
}

/** The content of "value" in a tagged value. */
function contentJson (value: Exclude<AmqpValue, { type: 'described' }>): string {
  switch (value.type) {
    case 'null': return 'null'
    case 'boolean': return value.value ? 'true' : 'false'
    case 'ubyte': case 'ushort': case 'uint': case 'byte': case 'short': case 'int': return String(value.value)
    case 'ulong': case 'long': return `"${value.value}"`
    case 'float': case 'double': return floatJson(value.value)
    case 'timestamp': return `"${timeOf(value.value)}"`
    case 'char': return charJson(value.value)
    case 'uuid': return `"${value.value}"`
    case 'binary': case 'decimal32': case 'decimal64': case 'decimal128': return `"${base64Of(value.value)}"`
    case 'string': case 'symbol': return JSON.stringify(value.value)
    case 'list': case 'array': return listJson(value.value)
    case 'map': return pairsJson(value.value)
  }
}

function floatJson (value: number): string {
  if (Object.is(value, -0)) return '"-0"'
  return Number.isFinite(value) ? String(value) : `"${value}"`
}

/** Half a surrogate pair as its number: many JSON parsers would replace it in a string. */
function charJson (codePoint: number): string {
  return codePoint >= 0xd800 && codePoint <= 0xdfff
    ? String(codePoint)
    : JSON.stringify(String.fromCodePoint(codePoint))
}

function pairsJson (entries: AmqpMap): string {
  let text = ''
  for (const [key, value] of entries) text += `${text === '' ? '' : ','}[${valueJson(key)},${valueJson(value)}]`
  return `[${text}]`
}
