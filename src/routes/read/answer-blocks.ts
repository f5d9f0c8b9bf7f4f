import type { StreamsError } from '../../streams/index.ts'

// An answer of the default size is one block. A larger one is never copied into one piece.
const BLOCK_BYTES = 1024 * 1024

/** How far an answer was written. */
export interface Mark { readonly blocks: number, readonly used: number, readonly bytes: number }

/** The bytes of an answer, written piece by piece into memory that is charged before it is taken. */
export class AnswerBlocks {
  readonly #hold: (bytes: number) => StreamsError | undefined
  readonly #blocks: Buffer[] = []
  #last: Buffer = Buffer.alloc(0)
  // Of the last block.
  #used = 0
  // The size of the next block, unless what is to be written is larger.
  #nextBytes: number
  #heldBytes = 0
  /** How many bytes were written. */
  bytes = 0

  /**
   * @param expectedBytes how many bytes are likely
   * @param hold charges this many bytes to the budget of reads; returns the error when the budget is full
   */
  constructor (expectedBytes: number, hold: (bytes: number) => StreamsError | undefined) {
    this.#hold = hold
    this.#nextBytes = Math.min(expectedBytes, BLOCK_BYTES)
  }

  /** The memory that it takes. */
  get heldBytes (): number {
    return this.#heldBytes
  }

  /** Adds a text; adds nothing when its memory must not be taken, and says why. */
  add (text: string): StreamsError | undefined {
    const length = Buffer.byteLength(text)
    if (length > this.#last.length - this.#used) {
      const refusal = this.#grow(length)
      if (refusal !== undefined) return refusal
    }
    this.#used += this.#last.write(text, this.#used)
    this.bytes += length
    return undefined
  }

  mark (): Mark {
    return { blocks: this.#blocks.length, used: this.#used, bytes: this.bytes }
  }

  /** Drops what was written since. */
  cutTo ({ blocks, used, bytes }: Mark): void {
    for (const dropped of this.#blocks.splice(blocks)) this.#heldBytes -= dropped.length
    this.#last = this.#blocks.at(-1) ?? Buffer.alloc(0)
    this.#used = used
    this.bytes = bytes
  }

  /** What was written, and a last short text. */
  finish (end: string): readonly Buffer[] {
    const bytes = Buffer.from(end)
    this.bytes += bytes.length
    const hasRoom = bytes.length <= this.#last.length - this.#used
    if (hasRoom) this.#used += bytes.copy(this.#last, this.#used)
    this.#closeLast()
    return hasRoom ? this.#blocks : [...this.#blocks, bytes]
  }

  #grow (length: number): StreamsError | undefined {
    const size = Math.max(length, this.#nextBytes)
    const refusal = this.#hold(this.#heldBytes + size)
    if (refusal !== undefined) return refusal
    this.#closeLast()
    this.#nextBytes = BLOCK_BYTES
    this.#last = Buffer.allocUnsafe(size)
    this.#used = 0
    this.#heldBytes += size
    this.#blocks.push(this.#last)
    return undefined
  }

  #closeLast (): void {
    if (this.#blocks.length > 0) this.#blocks[this.#blocks.length - 1] = this.#last.subarray(0, this.#used)
  }
}
