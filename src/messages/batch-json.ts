import { isSurelyJson } from '../text/json-check.ts'
import {
  dataSectionHeaderLength,
  ENTRY_LENGTH_BYTES,
  loneDataStart,
  type AmqpMessage,
  type EntryRun,
  type ReadPiece
} from '../streams/index.ts'
import {
  bodyJson,
  decodeEntry,
  isJsonType,
  messageToJsonText,
  startText,
  tailText,
  unknownText,
  type ReadEncoding
} from './read-json.ts'

const REPLACEMENT_CHARACTER = '\ufffd'
// A longer head is not worth comparing byte by byte.
const MAX_HEAD_BYTES = 256

/**
 * The JSON texts of the messages, with `between` between them. The result is that of `messageToJsonText` for each, at a
 * third of the cost: successive messages mostly have the same properties, which are then read and printed once, and a
 * JSON body is checked instead of parsed.
 */
export function batchToJsonText (pieces: readonly ReadPiece[], encoding: ReadEncoding, between: string): string {
  const run = new RunPrinter(encoding, between)
  let text = ''
  for (const piece of pieces) {
    if (text !== '') text += between
    text += piece.kind === 'run' ? run.print(piece) : messageToJsonText(piece, encoding)
  }
  return text
}

/** The sections before a body. Many messages have the same ones. */
interface Head {
  readonly bytes: Buffer
  readonly isJson: boolean
  /** The text after the body. */
  readonly tail: string
}

class RunPrinter {
  readonly #encoding: ReadEncoding
  readonly #between: string
  // The head of the previous message.
  #head: Head | undefined

  constructor (encoding: ReadEncoding, between: string) {
    this.#encoding = encoding
    this.#between = between
  }

  print ({ data, start, count, offset, timestamp }: EntryRun): string {
    let text = ''
    let at = start
    for (let index = 0; index < count; index++) {
      const from = at + ENTRY_LENGTH_BYTES
      at = from + data.readUInt32BE(at)
      if (index > 0) text += this.#between
      text +=
        startText(offset + index, timestamp) +
        (this.#likeTheOneBefore(data, from, at) ?? this.#anew(data.subarray(from, at)))
    }
    return text
  }

  // Undefined when the head differs from the previous one, or the message needs a closer look.
  #likeTheOneBefore (data: Buffer, from: number, to: number): string | undefined {
    const head = this.#head
    if (head === undefined || this.#encoding === 'base64' || !startsWith(data, from, to, head.bytes)) return undefined
    const start = loneDataStart(data, from + head.bytes.length, to)
    if (start === undefined) return undefined
    const text = data.toString('utf8', start, to)
    // Bytes that are not UTF-8 decode to such characters, and a text with such characters may come from bytes that are
    // not UTF-8.
    if (text.includes(REPLACEMENT_CHARACTER)) return undefined
    if (this.#encoding === 'json' || (this.#encoding === 'auto' && head.isJson)) {
      return isSurelyJson(data, start, to) ? `${text},"bodyEncoding":"json"${head.tail}` : undefined
    }
    return `${JSON.stringify(text)},"bodyEncoding":"text"${head.tail}`
  }

  #anew (bytes: Buffer): string {
    const decoded = decodeEntry(bytes)
    if (decoded === undefined) return unknownText(bytes)
    const tail = tailText(decoded)
    this.#head = headOf(bytes, decoded, tail)
    return bodyJson(decoded, this.#encoding) + tail
  }
}

function headOf (bytes: Buffer, { body, properties }: AmqpMessage, tail: string): Head | undefined {
  const section = body.kind === 'data' && body.sections.length === 1 ? body.sections[0] : undefined
  if (section === undefined) return undefined
  const length = bytes.length - section.length - dataSectionHeaderLength(section.length)
  // The body is the last section, it has the shortest header, and what looks like its header is not a part of it.
  if (
    section.byteOffset + section.length !== bytes.byteOffset + bytes.length ||
    length < 0 ||
    length > MAX_HEAD_BYTES ||
    loneDataStart(bytes, length, bytes.length) !== bytes.length - section.length
  ) return undefined
  return { bytes: bytes.subarray(0, length), isJson: isJsonType(properties?.contentType), tail }
}

function startsWith (data: Buffer, from: number, to: number, head: Buffer): boolean {
  if (to - from < head.length) return false
  for (let index = 0; index < head.length; index++) {
    if (data[from + index] !== head[index]) return false
  }
  return true
}
