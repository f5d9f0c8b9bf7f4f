import { jsonSteps } from '../text/json-steps.ts'
import { longValueOf, type AmqpMessage, type LongValue, type ReadMessage } from '../streams/index.ts'
import { bufferOf } from './json-parts.ts'
import {
  decodeEntry, entryText, isJsonType, joinSections, startText, tailText, undecodedTail, unreadableTail,
  type ReadEncoding
} from './read-json.ts'
import { escapeSeparators } from './separators.ts'
import {
  base64OfTexts, base64Slices, ifUtf8, oneLineSlices, SLICE_BYTES, stringSlices, utf8Slices, type Slices
} from './slices.ts'

/** Whether a message of this many bytes is printed in slices. */
export function isLarge (bytes: number): boolean {
  return bytes > SLICE_BYTES
}

/**
 * The text of a message as `messageToJsonText` makes it, in slices: a message of 16 MiB takes longer than others can
 * wait.
 */
export function * messageSlices (message: ReadMessage, encoding: ReadEncoding, opening?: string): Slices {
  for (const slice of slicesOf(message, encoding, opening)) yield escapeSeparators(slice)
}

function * slicesOf (message: ReadMessage, encoding: ReadEncoding, opening: string | undefined): Slices {
  yield startText(message.offset, message.timestamp, opening)
  if (message.kind === 'unreadable') {
    yield * base64Body(message.bytes)
    yield unreadableTail(message)
  } else {
    yield * entrySlices(bufferOf(message.bytes), encoding)
  }
}

function * entrySlices (bytes: Buffer, encoding: ReadEncoding): Slices {
  const long = longValue(bytes)
  if (long !== undefined) {
    yield * longBody(long.value, encoding)
    yield ',"bodyType":"value"' + tailText(long.message)
    return
  }
  const decoded = decodeEntry(bytes)
  if (decoded.kind !== 'message') {
    yield * base64Body(bytes)
    yield undecodedTail(decoded)
    return
  }
  const { message } = decoded
  if (message.body.kind !== 'data') {
    // The number of its values is bounded.
    yield entryText(decoded, bytes, encoding)
    return
  }
  yield * dataSlices(joinSections(message.body.sections), message.properties?.contentType, encoding)
  yield tailText(message)
}

function * dataSlices (bytes: Uint8Array, contentType: string | undefined, encoding: ReadEncoding): Slices {
  const text = encoding === 'base64' ? undefined : ifUtf8(bytes)
  if (text === undefined) return yield * base64Body(bytes)
  if (encoding === 'json' || (encoding === 'auto' && isJsonType(contentType))) {
    if (yield * isJsonInSteps(bufferOf(text))) {
      yield * oneLineSlices(utf8Slices(text))
      yield ',"bodyEncoding":"json"'
      return
    }
  }
  if (encoding === 'json') return yield * base64Body(bytes)
  yield '"'
  yield * stringSlices(utf8Slices(text))
  yield '","bodyEncoding":"text"'
}

/** Whether bytes are JSON, with pauses. */
export function * isJsonInSteps (bytes: Buffer): Generator<string, boolean> {
  const steps = jsonSteps(bytes)
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
    yield ''
  }
}

function * base64Body (bytes: Uint8Array): Slices {
  yield '"'
  yield * base64Slices(bytes)
  yield '","bodyEncoding":"base64"'
}

function * longBody (value: LongValue, encoding: ReadEncoding): Slices {
  if (encoding === 'base64') {
    yield '"'
    yield * base64OfTexts(longJson(value))
    yield '","bodyEncoding":"base64"'
  } else if (encoding === 'text') {
    yield '"'
    yield * stringSlices(longJson(value))
    yield '","bodyEncoding":"text"'
  } else {
    yield * longJson(value)
    yield ',"bodyEncoding":"json"'
  }
}

/** The JSON text of a long value, as `valueJson` makes it. */
export function * longJson ({ type, content }: LongValue): Slices {
  if (type === 'string') {
    yield '"'
    yield * stringSlices(utf8Slices(content))
    yield '"'
  } else {
    yield '{"$type":"binary","value":"'
    yield * base64Slices(content)
    yield '"}'
  }
}

/** A large message whose body is one long string or binary, and the message without it; undefined for any other. */
export function longValue (bytes: Buffer): { value: LongValue, message: AmqpMessage } | undefined {
  const value = isLarge(bytes.length) ? longValueOf(bytes) : undefined
  if (value === undefined || (value.type === 'string' && ifUtf8(value.content) === undefined)) return undefined
  if (value.head.length === 0) return { value, message: { body: { kind: 'none' } } }
  const decoded = decodeEntry(value.head)
  return decoded.kind === 'message' ? { value, message: decoded.message } : undefined
}
