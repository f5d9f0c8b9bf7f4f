import type { Lease } from '../streams/index.ts'
import type { Written } from './live-feed.ts'
import { CRLF, sizeLine, type Segment } from './segment.ts'

/** Stands in the texts of a segment where each answer has something of its own. JSON and ids have no such character. */
export const MARK = '\0'

const MARK_BYTE = 0

/**
 * The texts of a segment with what one answer has in place of each `MARK`. Texts of the usual size are copied. A large
 * one is not: it is written in pieces.
 */
export class Block implements Written {
  readonly count: number
  readonly bytes: number
  readonly #buffers: (isChunked: boolean) => readonly Buffer[]
  // Of which nothing was copied.
  readonly #segment: Segment | undefined
  readonly #lease: Lease
  #holders = 0

  /** @param lease of `bytesOf` bytes, which ends with the block */
  constructor (segment: Segment, text: Buffer, lease: Lease) {
    const [only] = segment.texts
    this.count = segment.count
    this.bytes = bytesOf(segment, text)
    this.#lease = lease
    if (segment.texts.length === 1 && only !== undefined) {
      const { framed, plain } = copied(only, text, this.bytes)
      this.#buffers = (isChunked) => [isChunked ? framed : plain]
    } else {
      this.#segment = segment
      const plain = segment.texts.flatMap((part) => pieces(part, text))
      const framed = [Buffer.from(sizeLine(this.bytes)), ...plain, Buffer.from(CRLF)]
      this.#buffers = (isChunked) => isChunked ? framed : plain
    }
  }

  buffers (isChunked: boolean): readonly Buffer[] {
    return this.#buffers(isChunked)
  }

  retain (): void {
    this.#holders++
    this.#segment?.retain()
  }

  release (): void {
    this.#holders--
    this.#segment?.release()
    if (this.#holders === 0) this.#lease.end()
  }
}

/** How long the texts of a segment are with this text for each mark. Each message has one. */
export function bytesOf ({ bytes, count }: Segment, text: Buffer): number {
  return bytes + count * (text.length - 1)
}

function copied (source: Buffer, text: Buffer, bytes: number): { readonly framed: Buffer, readonly plain: Buffer } {
  const head = sizeLine(bytes)
  const framed = Buffer.allocUnsafe(head.length + bytes + CRLF.length)
  let at = framed.write(head, 0, 'latin1')
  let from = 0
  for (let mark = source.indexOf(MARK_BYTE); mark >= 0; mark = source.indexOf(MARK_BYTE, from)) {
    at += source.copy(framed, at, from, mark)
    at += text.copy(framed, at)
    from = mark + 1
  }
  at += source.copy(framed, at, from)
  framed.write(CRLF, at, 'latin1')
  return { framed, plain: framed.subarray(head.length, head.length + bytes) }
}

function pieces (source: Buffer, text: Buffer): Buffer[] {
  const all: Buffer[] = []
  let from = 0
  for (let mark = source.indexOf(MARK_BYTE); mark >= 0; mark = source.indexOf(MARK_BYTE, from)) {
    all.push(source.subarray(from, mark), text)
    from = mark + 1
  }
  all.push(source.subarray(from))
  return all
}
