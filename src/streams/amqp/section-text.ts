import { CODE, SECTION } from './codes.ts'
import { AmqpDecodeError } from './decode-error.ts'
import { ABSENT, skipped, u32 } from './skip.ts'
import { ValueReader } from './value-reader.ts'
import type { AmqpValue } from './value.ts'

/** Something of a message that a text can be compared with. */
export type TextField =
  | { readonly in: 'properties', readonly index: number }
  | { readonly in: 'messageAnnotations' | 'applicationProperties', readonly key: Uint8Array }

/** The fields of the properties section, by their place in it (AMQP 1.0, part 3, 3.2.4). */
export const PROPERTY_INDEX = { messageId: 0, subject: 3, groupId: 10 } as const

/**
 * Told the bytes of a text. Strings and symbols are compared where they are; numbers, booleans and uuids as they are
 * written in JSON.
 */
export type TextTest = (bytes: Uint8Array, start: number, end: number) => boolean

/**
 * Whether a message has the field, and its text passes the test. Nothing of the message is decoded but that one value,
 * and what follows the sections before the body is not looked at.
 *
 * @returns undefined when the message does not have the field, or not as a text: also when it is not AMQP
 */
export function testText (
  data: Buffer, start: number, end: number, field: TextField, test: TextTest
): boolean | undefined {
  const section = sectionAt(data, start, end, SECTION[field.in])
  if (section === ABSENT) return undefined
  const at = field.in === 'properties'
    ? elementAt(data, section, end, field.index)
    : valueAt(data, section, end, field.key)
  return at === ABSENT ? undefined : testValue(data, at, end, test)
}

/** The text of a field, read as `testText` reads it; undefined when the message does not have it as a text. */
export function fieldText (data: Buffer, start: number, end: number, field: TextField): string | undefined {
  let text: string | undefined
  testText(data, start, end, field, (bytes, from, to) => {
    text = Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString()
    return true
  })
  return text
}

// The sections have an order, and those before the body are enough. Only descriptors of three bytes are expected: no
// known client writes another one.
function sectionAt (data: Buffer, start: number, end: number, wanted: number): number {
  for (let at = start; at + 3 < end && data[at] === CODE.described && data[at + 1] === CODE.smallUlong;) {
    const section = data[at + 2] ?? 0
    if (section === wanted) return at + 3
    if (section > wanted) return ABSENT
    at = skipped(data, at + 3, end)
    if (at === ABSENT) return ABSENT
  }
  return ABSENT
}

function elementAt (data: Buffer, list: number, end: number, index: number): number {
  const code = data[list]
  const isShort = code === CODE.list8
  if (!isShort && code !== CODE.list32) return ABSENT
  const count = isShort ? data[list + 2] ?? 0 : u32(data, list + 5, end)
  if (index >= count) return ABSENT
  let at = list + (isShort ? 3 : 9)
  for (let skip = index; skip > 0 && at !== ABSENT; skip--) at = skipped(data, at, end)
  return at
}

function valueAt (data: Buffer, map: number, end: number, key: Uint8Array): number {
  const code = data[map]
  const isShort = code === CODE.map8
  if (!isShort && code !== CODE.map32) return ABSENT
  const count = isShort ? data[map + 2] ?? 0 : u32(data, map + 5, end)
  let at = map + (isShort ? 3 : 9)
  for (let entry = 0; entry + 1 < count && at < end; entry += 2) {
    const value = skipped(data, at, end)
    if (value === ABSENT) return ABSENT
    if (isKey(data, at, value, key)) return value
    at = skipped(data, value, end)
    if (at === ABSENT) return ABSENT
  }
  return ABSENT
}

function isKey (data: Buffer, at: number, end: number, key: Uint8Array): boolean {
  const start = textStart(data, at)
  if (start === ABSENT || end - start !== key.length) return false
  for (let index = 0; index < key.length; index++) if (data[start + index] !== key[index]) return false
  return true
}

// Where the bytes of a string or a symbol begin.
function textStart (data: Buffer, at: number): number {
  switch (data[at]) {
    case CODE.string8: case CODE.symbol8: return at + 2
    case CODE.string32: case CODE.symbol32: return at + 5
    default: return ABSENT
  }
}

function testValue (data: Buffer, at: number, end: number, test: TextTest): boolean | undefined {
  const after = skipped(data, at, end)
  if (after === ABSENT) return undefined
  const start = textStart(data, at)
  if (start !== ABSENT) return test(data, start, after)
  const text = otherText(data.subarray(at, after))
  if (text === undefined) return undefined
  const bytes = Buffer.from(text)
  return test(bytes, 0, bytes.length)
}

function otherText (bytes: Buffer): string | undefined {
  try {
    return textOf(new ValueReader(bytes).readValue(1))
  } catch (error) {
    if (error instanceof AmqpDecodeError) return undefined
    throw error
  }
}

/** The text that a value is compared as; undefined for a value that is not compared. */
export function textOf (value: AmqpValue): string | undefined {
  switch (value.type) {
    case 'string': case 'symbol': case 'uuid': return value.value
    case 'boolean': case 'ubyte': case 'ushort': case 'uint': case 'ulong': case 'byte': case 'short': case 'int':
    case 'long': return String(value.value)
    default: return undefined
  }
}
