import { expectUnicode, parseBase64 } from '../json-parts.ts'
import { MessageFormatError } from '../format-error.ts'
import type { MessageSpan } from '../message-scan.ts'
import { pointerTo } from '../../text/json-pointer.ts'
import { checkAttributes, type AttributeValue } from './attributes.ts'
import { isJsonData } from './event-data.ts'
import { isOfWholeEvents } from './event-types.ts'
import type { Event } from './event.ts'

/** The names that the data of an event may have in JSON. */
export const DATA_KEYS = ['data', 'data_base64'] as const

const JSON_TYPE = 'application/json'
const QUOTE = 0x22
const NOTHING = Buffer.alloc(0)

/**
 * The event of a span, whose bytes are valid JSON. JSON data stays as it was written.
 *
 * @throws MessageFormatError with a pointer that starts with `pointer`
 */
export function parseEvent (bytes: Buffer, span: MessageSpan, pointer: string): Event {
  if (!span.isObject) throw new MessageFormatError(pointer, 'must be an object')
  const pointerOf = (name: string): string => pointerTo(pointer, name)
  const attributes = attributesOf(bytes, span, pointerOf)
  checkAttributes(attributes, pointerOf)
  const data = dataOf(bytes, span, attributes.get('datacontenttype'), pointerOf(span.bodyKey ?? 'data'))
  // Without a type, data in the JSON format is JSON. Elsewhere that has to be said.
  if (data.isJson && !attributes.has('datacontenttype')) attributes.set('datacontenttype', JSON_TYPE)
  const isNested = isOfWholeEvents(String(attributes.get('datacontenttype') ?? ''))
  return { attributes, data: data.bytes, whole: isNested ? bytes.subarray(span.start, span.end) : undefined }
}

function attributesOf (
  bytes: Buffer, { start, end, bodyStart, bodyEnd, bodyKey }: MessageSpan, pointerOf: (name: string) => string
): Map<string, AttributeValue> {
  const text = bodyEnd < 0
    ? bytes.toString('utf8', start, end)
    : `${bytes.toString('utf8', start, bodyStart)}null${bytes.toString('utf8', bodyEnd, end)}`
  const attributes = new Map<string, AttributeValue>()
  for (const [name, value] of Object.entries(JSON.parse(text))) {
    // An attribute of null is one that is not set.
    if (value === null || name === bodyKey) continue
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') {
      throw new MessageFormatError(pointerOf(name), 'must be a string, a whole number or a boolean')
    }
    attributes.set(name, value)
  }
  return attributes
}

function dataOf (
  bytes: Buffer, { bodyStart, bodyEnd, bodyKey, hasEscapedBody }: MessageSpan, contentType: AttributeValue | undefined,
  pointer: string
): { readonly bytes: Uint8Array, readonly isJson: boolean } {
  const json = bodyEnd < 0 ? NOTHING : bytes.subarray(bodyStart, bodyEnd)
  const isNull = json.length === 4 && json.toString() === 'null'
  if (json.length === 0 || (isNull && (bodyKey === 'data_base64' || contentType === undefined))) {
    return { bytes: NOTHING, isJson: false }
  }
  const string = (): string => {
    if (json[0] !== QUOTE) throw new MessageFormatError(pointer, 'must be a string, since datacontenttype is not JSON')
    return hasEscapedBody ? String(JSON.parse(json.toString())) : json.toString('utf8', 1, json.length - 1)
  }
  if (bodyKey === 'data_base64') {
    return { bytes: parseBase64(json[0] === QUOTE ? string() : undefined, pointer), isJson: false }
  }
  if (contentType === undefined || isJsonData(String(contentType))) return { bytes: json, isJson: true }
  if (isNull) return { bytes: NOTHING, isJson: false }
  return { bytes: Buffer.from(expectUnicode(string(), pointer)), isJson: false }
}
