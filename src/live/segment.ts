import { batchSlices, type Lead, type ReadEncoding } from '../messages/index.ts'
import type { ChunkPart, Lease } from '../streams/index.ts'
import type { Written } from './live-feed.ts'
import type { LiveFormat } from './live-format.ts'

/** How messages are written: all who want the same share what is made. */
export interface Representation {
  readonly format: LiveFormat
  readonly body: ReadEncoding
  /** Whether only some messages are wanted. */
  readonly isFiltered: boolean
  /** The same text for all who want the same. */
  readonly key: string
  /** Before each message. */
  readonly lead: Lead | undefined
  /** With what each message begins, in place of `{`. */
  readonly opening?: string
}

/** @param filter see `ReadFilter.identity`; undefined when all messages are wanted */
export function representation (format: LiveFormat, body: ReadEncoding, filter?: string): Representation {
  const isFiltered = filter !== undefined
  const key = `${format.name} ${body} ${isFiltered ? JSON.stringify(filter) : ''}`
  return { format, body, isFiltered, key, lead: format.lead }
}

/** What stands after a chunk of HTTP/1.1. */
export const CRLF = '\r\n'

/**
 * Messages of a chunk as text, made once for all who want them like this, and its memory. It is framed as a chunk of
 * HTTP/1.1, so that a connection takes one write.
 */
export class Segment implements Written {
  readonly from: number
  /** All messages before this offset are in it. */
  readonly to: number
  /** The offset after the last message in it; `from` when it has no message. */
  readonly lastEnd: number
  /** How many messages there are. */
  readonly count: number
  readonly bytes: number
  // Empty without messages.
  readonly #framed: readonly Buffer[]
  readonly #plain: readonly Buffer[]
  readonly #lease: Lease
  #holders = 1

  constructor ({ from, to, lastEnd, count }: ChunkPart, texts: readonly Buffer[], lease: Lease) {
    this.from = from
    this.to = to
    this.lastEnd = lastEnd
    this.count = count
    this.#lease = lease
    this.bytes = texts.reduce((sum, { length }) => sum + length, 0)
    const [only] = texts
    if (texts.length === 1 && only !== undefined) {
      const { framed, plain } = frameOf(only)
      this.#framed = [framed]
      this.#plain = [plain]
    } else {
      this.#plain = texts
      this.#framed = texts.length === 0 ? [] : [Buffer.from(sizeLine(this.bytes)), ...texts, Buffer.from(CRLF)]
    }
    lease.resize(this.bytes)
  }

  /** The bytes to write. @param isChunked with the frame of a chunk of HTTP/1.1 */
  buffers (isChunked: boolean): readonly Buffer[] {
    return isChunked ? this.#framed : this.#plain
  }

  /** The texts, one after the other. */
  get texts (): readonly Buffer[] {
    return this.#plain
  }

  retain (): void {
    this.#holders++
  }

  release (): void {
    this.#holders--
    if (this.#holders === 0) this.#lease.end()
  }
}

/** The texts of the messages, piece by piece. */
export function * segmentTexts (
  part: ChunkPart, { format, body, lead, opening }: Representation
): Generator<string, void> {
  if (part.count === 0) return
  const slices = batchSlices(part.pieces, body, format.between, lead, opening === undefined ? undefined : () => opening)
  for (const { text } of slices) if (text !== '') yield text
  yield format.after
}

/** A text with the frame of a chunk, and without it, in one piece of memory. */
export function frameOf (text: Buffer | string): { readonly framed: Buffer, readonly plain: Buffer } {
  const length = Buffer.byteLength(text)
  const head = sizeLine(length)
  const framed = Buffer.allocUnsafe(head.length + length + CRLF.length)
  framed.write(head, 0, 'latin1')
  if (typeof text === 'string') framed.write(text, head.length)
  else text.copy(framed, head.length)
  framed.write(CRLF, head.length + length, 'latin1')
  return { framed, plain: framed.subarray(head.length, head.length + length) }
}

/** What stands before a chunk of HTTP/1.1, by its size in bytes. */
export function sizeLine (bytes: number): string {
  return bytes.toString(16) + CRLF
}
