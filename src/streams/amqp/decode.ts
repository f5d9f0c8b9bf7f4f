import { SECTION } from './codes.ts'
import { AmqpDecodeError } from './decode-error.ts'
import { decodeHeader } from './decode-header.ts'
import { decodeProperties } from './decode-properties.ts'
import type { AmqpBody, AmqpHeader, AmqpMap, AmqpMessage, AmqpProperties } from './message.ts'
import type { AmqpValue } from './value.ts'
import { ValueReader } from './value-reader.ts'

/**
 * Decodes a whole message: every type, every section, in any order. Binaries are views of `bytes`.
 *
 * Throws AmqpDecodeError, and nothing else, unless all the bytes are well-formed sections. So plain text, an empty
 * entry or a truncated message is not taken for a message.
 */
export function decodeMessage (bytes: Uint8Array): AmqpMessage {
  if (bytes.length === 0) throw new AmqpDecodeError('an empty entry is not a message')
  const reader = new ValueReader(bytes)
  let seen = 0
  const body = new BodySections()
  let header: AmqpHeader | undefined
  let deliveryAnnotations: AmqpMap | undefined
  let messageAnnotations: AmqpMap | undefined
  let properties: AmqpProperties | undefined
  let applicationProperties: AmqpMap | undefined
  let footer: AmqpMap | undefined
  while (!reader.isAtEnd) {
    const section = reader.readSectionDescriptor()
    const bit = 1 << (section - SECTION.header)
    if ((seen & bit) !== 0 && section !== SECTION.data && section !== SECTION.amqpSequence) {
      throw new AmqpDecodeError('a section occurs twice')
    }
    seen |= bit
    switch (section) {
      case SECTION.data: body.addData(reader.readBinary()); break
      case SECTION.amqpValue: body.setValue(reader.readValue(1)); break
      case SECTION.amqpSequence: body.addSequence(listOf(reader.readValue(1))); break
      case SECTION.properties: properties = decodeProperties(listOf(reader.readValue(1))); break
      case SECTION.messageAnnotations: messageAnnotations = mapOf(reader.readValue(1)); break
      case SECTION.applicationProperties: applicationProperties = mapOf(reader.readValue(1)); break
      case SECTION.header: header = decodeHeader(listOf(reader.readValue(1))); break
      case SECTION.deliveryAnnotations: deliveryAnnotations = mapOf(reader.readValue(1)); break
      case SECTION.footer: footer = mapOf(reader.readValue(1)); break
      default: throw new AmqpDecodeError(`no section has the descriptor 0x${section.toString(16)}`)
    }
  }
  return {
    header,
    deliveryAnnotations,
    messageAnnotations,
    properties,
    applicationProperties,
    body: body.body,
    footer
  }
}

/**
 * The bytes of a body that consists of data sections: a single one is a view of `bytes`, several are joined. undefined
 * for any other body, and when there is no body.
 *
 * For reads that need nothing but the body: other sections are skipped by their size, and their content is not checked.
 * Throws AmqpDecodeError when the sections themselves are malformed.
 */
export function dataBodyOf (bytes: Uint8Array): Uint8Array | undefined {
  const buffer = bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const start = loneDataStart(buffer, 0, buffer.length)
  return start === undefined ? joinedDataSections(buffer) : buffer.subarray(start)
}

/**
 * Where the body begins when the bytes from `from` to `to` are one data section with the usual header; otherwise
 * undefined. Most messages in a stream consist of one such section.
 */
export function loneDataStart (bytes: Buffer, from: number, to: number): number | undefined {
  // The described constructor, the small ulong constructor and the section; then a binary whose length takes one byte
  // or four.
  if (bytes[from] !== 0x00 || bytes[from + 1] !== 0x53 || bytes[from + 2] !== SECTION.data) return undefined
  if (bytes[from + 3] === 0xa0 && from + 5 <= to && bytes[from + 4] === to - from - 5) return from + 5
  if (bytes[from + 3] === 0xb0 && from + 8 <= to && bytes.readUInt32BE(from + 4) === to - from - 8) return from + 8
  return undefined
}

function joinedDataSections (bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length === 0) throw new AmqpDecodeError('an empty entry is not a message')
  const reader = new ValueReader(bytes)
  let first: Uint8Array | undefined
  const more: Uint8Array[] = []
  while (!reader.isAtEnd) {
    const section = reader.readSectionDescriptor()
    switch (section) {
      case SECTION.data:
        if (first === undefined) first = reader.readBinary()
        else more.push(reader.readBinary())
        break
      case SECTION.amqpValue: case SECTION.amqpSequence:
        if (first !== undefined) throw new AmqpDecodeError('the body mixes kinds of sections')
        return undefined
      case SECTION.header: case SECTION.deliveryAnnotations: case SECTION.messageAnnotations: case SECTION.properties:
      case SECTION.applicationProperties: case SECTION.footer:
        reader.skipListOrMap()
        break
      default: throw new AmqpDecodeError(`no section has the descriptor 0x${section.toString(16)}`)
    }
  }
  return first === undefined || more.length === 0 ? first : Buffer.concat([first, ...more])
}

/** Collects the body: data sections, sequence sections or one value, never a mixture. */
class BodySections {
  #body: AmqpBody = { kind: 'none' }
  readonly #data: Uint8Array[] = []
  readonly #sequences: Array<readonly AmqpValue[]> = []

  get body (): AmqpBody {
    return this.#body
  }

  addData (bytes: Uint8Array): void {
    this.#expectKind('data')
    this.#data.push(bytes)
    this.#body = { kind: 'data', sections: this.#data }
  }

  addSequence (values: readonly AmqpValue[]): void {
    this.#expectKind('sequence')
    this.#sequences.push(values)
    this.#body = { kind: 'sequence', sections: this.#sequences }
  }

  setValue (value: AmqpValue): void {
    this.#expectKind('value')
    this.#body = { kind: 'value', value }
  }

  #expectKind (kind: AmqpBody['kind']): void {
    if (this.#body.kind !== 'none' && this.#body.kind !== kind) {
      throw new AmqpDecodeError('the body mixes kinds of sections')
    }
  }
}

function listOf (value: AmqpValue): readonly AmqpValue[] {
  if (value.type !== 'list') throw new AmqpDecodeError('a section that must hold a list holds another value')
  return value.value
}

function mapOf (value: AmqpValue): AmqpMap {
  if (value.type !== 'map') throw new AmqpDecodeError('a section that must hold a map holds another value')
  return value.value
}
