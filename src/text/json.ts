import { TextFault } from './text-fault.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true })

// `__proto__` as a key, plain or with escapes. Only texts that match need the slower parse.
const SUSPICIOUS = /__proto__|\\u00[567]/

/**
 * Decodes UTF-8; a byte order mark at the start is dropped.
 *
 * @throws TextFault when the bytes are not UTF-8: replacement characters would silently change the message
 */
export function decodeUtf8 (bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch (error) {
    throw new TextFault('is not valid UTF-8', { cause: error })
  }
}

/**
 * Parses JSON that came from outside.
 *
 * @throws TextFault when the text is not JSON or has a key `__proto__`: code that copies the value would make it a
 *   prototype
 */
export function parseJson (text: string): unknown {
  try {
    return SUSPICIOUS.test(text) ? JSON.parse(text, refusePrototype) : JSON.parse(text)
  } catch (error) {
    if (error instanceof TextFault) throw error
    throw new TextFault('is not valid JSON', { cause: error })
  }
}

function refusePrototype (key: string, value: unknown): unknown {
  if (key === '__proto__') throw new TextFault('has a key "__proto__", which is refused')
  return value
}

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER)

/**
 * The JSON text of a value in which offsets may be `bigint`: beyond 2^53-1 as strings, which every client reads
 * exactly. Members that are undefined are left out.
 */
export function toJsonText (value: unknown): string {
  if (typeof value === 'bigint') return value > MAX_SAFE ? `"${value}"` : value.toString()
  if (Array.isArray(value)) return `[${value.map(toJsonText).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const members = Object.entries(value).filter(([, member]) => member !== undefined)
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${toJsonText(member)}`).join(',')}}`
}
