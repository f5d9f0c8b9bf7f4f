import { pointerTo } from '../../text/json-pointer.ts'
import { MessageFormatError } from '../format-error.ts'
import { headerText } from '../header-text.ts'
import { checkAttributes } from './attributes.ts'
import { addEvent, type Event, type EventDestination } from './event.ts'

// By their names in lower case: one value for each time that it was sent.
type Headers = Readonly<Record<string, readonly string[] | undefined>>

const PREFIX = 'ce-'
const CONTENT_TYPE = 'datacontenttype'

function headerPointer (name: string): string {
  return pointerTo('/headers', name === CONTENT_TYPE ? 'content-type' : `${PREFIX}${name}`)
}

/** Whether the headers of a request are those of an event in the binary mode of HTTP. */
export function hasEventHeaders (headers: object): boolean {
  return Object.keys(headers).some((name) => name.startsWith(PREFIX))
}

/**
 * Adds the event in the binary mode of HTTP: attributes in headers, data in the body.
 *
 * @throws MessageFormatError with a pointer such as /headers/ce-id
 * @throws StreamsError `message_too_large`
 */
export function addHeaderEvent (
  data: Buffer, headers: Headers, to: EventDestination, publishingId: number | undefined
): void {
  addEvent(eventOfHeaders(data, headers), to, { index: 0, publishingId, pointerOf: headerPointer })
}

function eventOfHeaders (data: Buffer, headers: Headers): Event {
  const attributes = new Map<string, string>()
  for (const [header, value] of Object.entries(headers)) {
    const text = header.startsWith(PREFIX) ? headerText(value?.[0]) : undefined
    if (text === undefined) continue
    const name = header.slice(PREFIX.length)
    // Node would join them into a value that the client has not sent.
    if (value !== undefined && value.length > 1) {
      throw new MessageFormatError(pointerTo('/headers', header), 'is there several times')
    }
    if (name === CONTENT_TYPE) throw new MessageFormatError(pointerTo('/headers', header), 'is the header content-type')
    attributes.set(name, decoded(text, pointerTo('/headers', header)))
  }
  const contentType = headerText(headers['content-type']?.[0])
  if (contentType !== undefined) attributes.set(CONTENT_TYPE, contentType)
  checkAttributes(attributes, headerPointer)
  return { attributes, data }
}

// The HTTP binding, 3.1.3.2: a value may be in double quotes; then percent-encoding is undone.
function decoded (header: string, pointer: string): string {
  const [, quoted] = /^"((?:[^"\\]|\\.)*)"$/s.exec(header) ?? []
  const text = quoted === undefined ? header : quoted.replace(/\\(.)/gs, '$1')
  // Senders that do not encode leave a % alone.
  if (!/%[0-9a-f]{2}/i.test(text)) return text
  try {
    return decodeURIComponent(text)
  } catch {
    throw new MessageFormatError(pointer, 'is not percent-encoded UTF-8: a % itself is written %25')
  }
}
