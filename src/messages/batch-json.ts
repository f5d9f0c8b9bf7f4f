import { isSurelyJson } from '../text/json-check.ts'
import {
  dataSectionHeaderLength,
  ENTRY_LENGTH_BYTES,
  loneDataStart,
  type AmqpMessage,
  type EntryRun,
  type ReadMessage,
  type ReadPiece
} from '../streams/index.ts'
import { isLarge, messageSlices } from './large-json.ts'
import { bodyJson, decodeEntry, entryText, isJsonType, startText, tailText, type ReadEncoding } from './read-json.ts'
import { escapeSeparators } from './separators.ts'
import { SLICE_BYTES, type Slices } from './slices.ts'

const REPLACEMENT_CHARACTER = '\ufffd'
// A longer head is not worth comparing byte by byte.
const MAX_HEAD_BYTES = 256

/** A piece of the text of a batch. */
export interface BatchSlice {
  readonly text: string
  /** The offset after the last message, when the text ends with a message; undefined in the middle of one. */
  readonly reached: number | undefined
  /** The index of the piece that this is of. */
  readonly piece: number
}

/** With what the objects of the messages of a piece begin, by its index: `{` and, perhaps, members of its own. */
type Opening = (piece: number) => string

/** What stands right before a message, by the offset after it. */
export type Lead = (reached: number) => string

/**
 * The JSON texts of the messages, with `between` between them and `lead` before each, in slices of less than a few
 * milliseconds of work. The whole is that of `messageToJsonText` for each, at a third of the cost: successive messages
 * mostly have the same properties, which are then read and printed once, and a JSON body is checked instead of parsed.
 */
export function * batchSlices (
  pieces: readonly ReadPiece[], encoding: ReadEncoding, between: string, lead?: Lead, openingOf?: Opening
): Generator<BatchSlice, void> {
  const printer = new Printer(encoding, between, lead)
  for (const [index, piece] of pieces.entries()) {
    const opening = openingOf?.(index)
    if (piece.kind === 'unreadable') {
      const reached = piece.offset + piece.records
      yield * withSeparator(printer.separator(reached), messageSlices(piece, encoding, opening), reached, index)
      continue
    }
    printer.begin(piece, opening)
    while (!printer.isAtEnd) {
      const text = printer.print()
      if (text !== '') yield { text: escapeSeparators(text), reached: printer.reached, piece: index }
      const large = printer.takeLarge()
      if (large === undefined) continue
      const { reached } = printer
      yield * withSeparator(printer.separator(reached), messageSlices(large, encoding, opening), reached, index)
    }
  }
}

function * withSeparator (
  separator: string, slices: Slices, reached: number, piece: number
): Generator<BatchSlice, void> {
  yield { text: separator, reached: undefined, piece }
  for (const text of slices) yield { text, reached: undefined, piece }
  yield { text: '', reached, piece }
}

/** The sections before a body. Many messages have the same ones. */
interface Head {
  readonly bytes: Buffer
  readonly isJson: boolean
  /** The text after the body. */
  readonly tail: string
}

class Printer {
  readonly #encoding: ReadEncoding
  readonly #between: string
  readonly #lead: Lead | undefined
  #isFirst = true
  #run: EntryRun | undefined
  #opening: string | undefined
  #index = 0
  // Where the length of the next message stands.
  #at = 0
  // The head of the previous message.
  #head: Head | undefined

  constructor (encoding: ReadEncoding, between: string, lead: Lead | undefined) {
    this.#encoding = encoding
    this.#between = between
    this.#lead = lead
  }

  begin (run: EntryRun, opening?: string): void {
    this.#run = run
    this.#opening = opening
    this.#index = 0
    this.#at = run.start
  }

  get isAtEnd (): boolean {
    return this.#run === undefined || this.#index === this.#run.count
  }

  /** The offset after the last message that was printed or taken. */
  get reached (): number {
    return (this.#run?.offset ?? 0) + this.#index
  }

  /** What stands before a message, after which the text has reached this offset. */
  separator (reached: number): string {
    const lead = this.#lead === undefined ? '' : this.#lead(reached)
    if (!this.#isFirst) return this.#between + lead
    this.#isFirst = false
    return lead
  }

  /** Prints messages up to the next large one, or until there is a slice of text. */
  print (): string {
    if (this.#run === undefined) return ''
    const { data, count, offset, timestamp } = this.#run
    let text = ''
    while (this.#index < count && text.length < SLICE_BYTES) {
      const from = this.#at + ENTRY_LENGTH_BYTES
      const to = from + data.readUInt32BE(this.#at)
      if (isLarge(to - from)) break
      text +=
        this.separator(offset + this.#index + 1) +
        startText(offset + this.#index, timestamp, this.#opening) +
        (this.#likeTheOneBefore(data, from, to) ?? this.#anew(data.subarray(from, to)))
      this.#at = to
      this.#index++
    }
    return text
  }

  /** The next message, when it is large. */
  takeLarge (): ReadMessage | undefined {
    if (this.#run === undefined || this.isAtEnd) return undefined
    const { data, offset, timestamp } = this.#run
    const from = this.#at + ENTRY_LENGTH_BYTES
    const to = from + data.readUInt32BE(this.#at)
    if (!isLarge(to - from)) return undefined
    const message = { kind: 'entry', offset: offset + this.#index, timestamp, bytes: data.subarray(from, to) } as const
    this.#at = to
    this.#index++
    return message
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
    if (decoded.kind !== 'message') return entryText(decoded, bytes, this.#encoding)
    const { message } = decoded
    const tail = tailText(message)
    this.#head = headOf(bytes, message, tail)
    return bodyJson(message, this.#encoding) + tail
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
