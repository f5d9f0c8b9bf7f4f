import { ByteCollector } from './byte-collector.ts'

const LINE_FEED = 0x0a
const NOTHING = Buffer.alloc(0)
// A few milliseconds of work.
const MAX_LINES_AT_ONCE = 2048

/**
 * Cuts a byte stream into lines at LF. The last LF may be missing; an empty stream has no lines.
 * Works on bytes, so that a character which lies across two chunks stays whole.
 */
export class LineSplitter {
  readonly #maxLineBytes: number
  /** The beginning of a line whose end has not come yet. */
  readonly #beginning: ByteCollector
  #isTooLong = false
  #rest: Buffer = NOTHING

  constructor (maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes
    this.#beginning = new ByteCollector(maxLineBytes)
  }

  /** Whether a line was longer than allowed. The lines before it were returned; no line after it is. */
  get isTooLong (): boolean {
    return this.#isTooLong
  }

  /** The memory that the start of an unfinished line takes. */
  get heldBytes (): number {
    return this.#beginning.capacity
  }

  /** How many bytes are copied when the start of an unfinished line grows by so many. */
  copiedBefore (moreBytes: number): number {
    return this.#beginning.copiedBefore(moreBytes)
  }

  /** Whether the chunk has more lines: call `more` before the next chunk. */
  get hasMore (): boolean {
    return this.#rest.length > 0
  }

  /**
   * Takes a chunk and returns the lines that end in it: views, to be used before the next chunk. A chunk of many short
   * lines is returned in parts, see `hasMore`.
   */
  push (chunk: Buffer): Buffer[] {
    this.#rest = chunk
    return this.more()
  }

  /** The next lines of the chunk. */
  more (): Buffer[] {
    const chunk = this.#rest
    const lines: Buffer[] = []
    let start = 0
    while (lines.length < MAX_LINES_AT_ONCE && !this.#isTooLong) {
      const end = chunk.indexOf(LINE_FEED, start)
      if (end < 0) {
        if (start < chunk.length && this.#fits(chunk.length - start)) this.#beginning.append(chunk.subarray(start))
        start = chunk.length
        break
      }
      const line = this.#complete(chunk.subarray(start, end))
      if (line !== undefined) lines.push(line)
      start = end + 1
    }
    this.#rest = this.#isTooLong || start === chunk.length ? NOTHING : chunk.subarray(start)
    return lines
  }

  /** The last line, when no LF ended it. */
  end (): Buffer | undefined {
    return this.#beginning.length === 0 || this.#isTooLong ? undefined : this.#complete(NOTHING)
  }

  #complete (end: Buffer): Buffer | undefined {
    if (!this.#fits(end.length)) return undefined
    if (this.#beginning.length === 0) return end
    this.#beginning.append(end)
    return this.#beginning.take()
  }

  #fits (moreBytes: number): boolean {
    if (this.#beginning.length + moreBytes > this.#maxLineBytes) this.#isTooLong = true
    return !this.#isTooLong
  }
}
