import { parseRfc3339 } from '../../text/rfc3339.ts'
import { MessageFormatError } from '../format-error.ts'
import { mediaTypeOf } from '../media-type.ts'

/** A context attribute that is not a text: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md. */
export type AttributeValue = string | number | boolean

/** The context attributes of an event, by their names. */
export type Attributes = ReadonlyMap<string, AttributeValue>

export const SPEC_VERSION = '1.0'

const REQUIRED = ['specversion', 'id', 'source', 'type'] as const

/**
 * The specification asks for lower-case letters and digits, and recommends at most 20 of them. There are events with
 * longer names.
 */
const NAME = /^[a-z0-9]{1,64}$/
// Controls, surrogates without the other half, and what Unicode keeps for itself.
const FORBIDDEN = /[\p{Control}\p{Surrogate}\p{Noncharacter_Code_Point}]/u
const URI_REFERENCE = /^[^\s<>"{}|\\^`]+$/
const URI = /^[A-Za-z][A-Za-z0-9+.-]*:[^\s<>"{}|\\^`]+$/
const MEDIA_TYPE = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/
// A content type is a symbol of AMQP, and a header of HTTP.
const ASCII = /^[\t\x20-\x7e]*$/
const MAX_INTEGER = 2 ** 31 - 1

/** Whether a text can be the name of an attribute. */
export function isAttributeName (name: string): boolean {
  return NAME.test(name) && name !== 'data'
}

/**
 * @param pointerOf the pointer of an attribute, by its name
 * @throws MessageFormatError for the first attribute that the specification does not allow or that is missing
 */
export function checkAttributes (attributes: Attributes, pointerOf: (name: string) => string): void {
  for (const name of REQUIRED) {
    if (!attributes.has(name)) throw new MessageFormatError(pointerOf(name), 'is required')
  }
  for (const [name, value] of attributes) {
    const fault = isAttributeName(name) ? valueFault(name, value) : 'must have a name of 1 to 64 of a-z and 0-9'
    if (fault !== undefined) throw new MessageFormatError(pointerOf(name), fault)
  }
}

const TEXTS: Readonly<Record<string, (value: string) => string | undefined>> = {
  specversion: (value) => value === SPEC_VERSION ? undefined : `must be "${SPEC_VERSION}"`,
  id: filled,
  type: filled,
  subject: filled,
  source: (value) => filled(value) ?? matching(value, URI_REFERENCE, 'a URI reference, such as /shops/7'),
  dataschema: (value) => matching(value, URI, 'a URI'),
  datacontenttype: (value) =>
    matching(mediaTypeOf(value), MEDIA_TYPE, 'a media type') ?? matching(value, ASCII, 'ASCII'),
  time: (value) => parseRfc3339(value) === undefined ? 'must be a date and time (RFC 3339)' : undefined
}

function valueFault (name: string, value: AttributeValue): string | undefined {
  const check = Object.hasOwn(TEXTS, name) ? TEXTS[name] : undefined
  if (typeof value === 'string') {
    return FORBIDDEN.test(value) ? 'must not contain control characters or half characters' : check?.(value)
  }
  if (check !== undefined) return 'must be a string'
  return typeof value === 'boolean' || isInteger(value) ? undefined : 'must be a whole number of 32 bits'
}

/** Whether an attribute can have this number as its value. */
export function isInteger (value: number): boolean {
  return Number.isInteger(value) && value <= MAX_INTEGER && value >= -MAX_INTEGER - 1
}

/** What a message says, where an event can have it as this attribute. */
export function fitting (name: 'datacontenttype' | 'subject', value: string | undefined): string | undefined {
  return value !== undefined && valueFault(name, value) === undefined ? value : undefined
}

function filled (value: string): string | undefined {
  return value === '' ? 'must not be empty' : undefined
}

function matching (value: string, pattern: RegExp, what: string): string | undefined {
  return pattern.test(value) ? undefined : `must be ${what}`
}
