import { CODE, SECTION } from './codes.ts'
import { AmqpDecodeError } from './decode-error.ts'
import type { AmqpMap } from './message.ts'
import { ABSENT, skipped, u32 } from './skip.ts'
import type { AmqpValue } from './value.ts'
import { ValueReader } from './value-reader.ts'
import { valueLength, writeValue } from './value-writer.ts'

/** The described constructor, the small ulong constructor, the number of the section. */
const DESCRIPTOR = Buffer.from([CODE.described, CODE.smallUlong, SECTION.messageAnnotations])

/** Says of the key of an annotation, a symbol or a string, whether it is meant. */
export type KeyTest = (key: string) => boolean

/** A message, and those of its annotations that were taken out of it. */
export interface Split {
  /** The bytes of the message without these annotations: a copy, or the given bytes when there are none. */
  readonly rest: Uint8Array
  readonly taken: AmqpMap
}

/**
 * A copy of a message with these message annotations added. All other sections, and the annotations that stay, keep
 * their bytes; nothing of the message is decoded.
 *
 * @param isReplaced annotations of the message that do not stay
 * @returns undefined when the bytes are not sections of a message
 */
export function withAnnotations (bytes: Uint8Array, added: AmqpMap, isReplaced: KeyTest): Buffer | undefined {
  const place = placeOf(bytes, isReplaced)
  if (place === undefined) return undefined
  const { buffer, descriptor, from, to, kept, count } = place
  return Buffer.concat([
    buffer.subarray(0, from),
    ...sectionOf(descriptor, [...kept, ...encodedEntries(added)], count + added.length * 2),
    buffer.subarray(to)
  ])
}

/**
 * Takes message annotations out of a message: the reverse of `withAnnotations`. A section that has no other ones goes
 * too.
 *
 * @returns undefined when the bytes are not sections of a message, or what is taken cannot be decoded
 */
export function splitAnnotations (bytes: Uint8Array, isTaken: KeyTest): Split | undefined {
  const place = placeOf(bytes, isTaken)
  if (place === undefined) return undefined
  const { buffer, descriptor, from, to, kept, count, left } = place
  if (left.length === 0) return { rest: bytes, taken: [] }
  const section = count === 0 ? [] : sectionOf(descriptor, kept, count)
  const rest = Buffer.concat([buffer.subarray(0, from), ...section, buffer.subarray(to)])
  return decoded(() => ({ rest, taken: left.map(entryOf) }))
}

/** Where the message annotations are, or belong. */
interface Place {
  readonly buffer: Buffer
  /** The descriptor of the section, as it is written there. */
  readonly descriptor: Buffer
  readonly from: number
  readonly to: number
  /** The bytes of the annotations that stay, and how many keys and values these are. */
  readonly kept: readonly Buffer[]
  readonly count: number
  /** The bytes of each annotation that does not. */
  readonly left: readonly Buffer[]
}

function placeOf (bytes: Uint8Array, isLeft: KeyTest): Place | undefined {
  const buffer = bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  return buffer.length === 0 ? undefined : decoded(() => findPlace(buffer, isLeft))
}

// The sections come in an order, in which these annotations follow the header and the delivery annotations.
function findPlace (buffer: Buffer, isLeft: KeyTest): Place {
  const reader = new ValueReader(buffer)
  let found: Place | undefined
  let at = 0
  let isBefore = true
  while (!reader.isAtEnd) {
    const from = reader.position
    const section = reader.readSectionDescriptor()
    const map = reader.position
    skipSection(reader, section)
    if (section === SECTION.messageAnnotations) {
      if (found !== undefined) throw new AmqpDecodeError('a section occurs twice')
      const descriptor = buffer.subarray(from, map)
      found = { buffer, descriptor, from, to: reader.position, ...sorted(buffer, map, reader.position, isLeft) }
    }
    isBefore &&= section === SECTION.header || section === SECTION.deliveryAnnotations
    if (isBefore) at = reader.position
  }
  return found ?? { buffer, descriptor: DESCRIPTOR, from: at, to: at, kept: [], count: 0, left: [] }
}

function skipSection (reader: ValueReader, section: number): void {
  switch (section) {
    case SECTION.data: reader.readBinary(); return
    case SECTION.amqpValue: reader.skipValue(); return
    case SECTION.header: case SECTION.deliveryAnnotations: case SECTION.messageAnnotations: case SECTION.properties:
    case SECTION.applicationProperties: case SECTION.amqpSequence: case SECTION.footer:
      reader.skipListOrMap()
      return
    default: throw new AmqpDecodeError(`no section has the descriptor 0x${section.toString(16)}`)
  }
}

function sorted (
  buffer: Buffer, map: number, end: number, isLeft: KeyTest
): Pick<Place, 'kept' | 'count' | 'left'> {
  const code = buffer[map]
  if (code !== CODE.map8 && code !== CODE.map32) throw new AmqpDecodeError('the annotations are not a map')
  const isShort = code === CODE.map8
  const elements = isShort ? buffer[map + 2] ?? 1 : u32(buffer, map + 5, end)
  const kept: Buffer[] = []
  const left: Buffer[] = []
  let at = map + (isShort ? 3 : 9)
  for (let index = 0; index < elements; index += 2) {
    const value = skippedTo(buffer, at, end)
    const next = skippedTo(buffer, value, end)
    const entry = buffer.subarray(at, next)
    if (isLeft(keyText(buffer.subarray(at, value)))) left.push(entry)
    else kept.push(entry)
    at = next
  }
  if (at !== end || elements % 2 !== 0) throw new AmqpDecodeError('the annotations do not end where they should')
  return { kept, count: kept.length * 2, left }
}

function skippedTo (buffer: Buffer, at: number, end: number): number {
  const next = skipped(buffer, at, end)
  if (next === ABSENT) throw new AmqpDecodeError('the bytes end inside a value')
  return next
}

function keyText (key: Buffer): string {
  switch (key[0]) {
    case CODE.symbol8: case CODE.string8: return key.toString('utf8', 2)
    case CODE.symbol32: case CODE.string32: return key.toString('utf8', 5)
    default: return ''
  }
}

function entryOf (bytes: Buffer): readonly [AmqpValue, AmqpValue] {
  const reader = new ValueReader(bytes)
  const key = reader.readValue(1)
  return [key, reader.readValue(1)]
}

function encodedEntries (map: AmqpMap): Buffer[] {
  return map.flat().map((value) => {
    const bytes = Buffer.allocUnsafe(valueLength(value))
    writeValue(value, bytes, 0)
    return bytes
  })
}

function sectionOf (descriptor: Buffer, entries: readonly Buffer[], count: number): Buffer[] {
  const length = entries.reduce((sum, entry) => sum + entry.length, 0)
  const isShort = length < 0xff && count <= 0xff
  const head = Buffer.alloc(isShort ? 3 : 9)
  head[0] = isShort ? CODE.map8 : CODE.map32
  if (isShort) head.writeUInt8(count, head.writeUInt8(length + 1, 1))
  else head.writeUInt32BE(count, head.writeUInt32BE(length + 4, 1))
  return [descriptor, head, ...entries]
}

function decoded<T> (decode: () => T): T | undefined {
  try {
    return decode()
  } catch (error) {
    if (error instanceof AmqpDecodeError) return undefined
    throw error
  }
}
