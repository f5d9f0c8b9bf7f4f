import type { StreamEnds } from '../topology/stream-ends.ts'
import type { HeldChunk } from './held-chunk.ts'
import type { Reader } from './reader.ts'

// Without an answer it is asked again after this time.
const ASK_AGAIN_MS = 1000

/** The first offset that a stream still had when its reader came upon a hole in the offsets. */
export class FirstOffsets {
  readonly #reader: Reader
  readonly #ends: StreamEnds
  readonly #answered: () => void
  // Of a chunk behind a hole.
  readonly #known = new WeakMap<HeldChunk, number>()
  readonly #asking = new WeakSet<HeldChunk>()
  // With a filter nearly every chunk is behind a hole: one answer is for all that had come when the broker was asked.
  readonly #answers: Array<{ readonly upTo: number, readonly offset: number }> = []
  #isAsking = false

  /** @param answered called when the broker has answered, or has not */
  constructor (reader: Reader, ends: StreamEnds, answered: () => void) {
    this.#reader = reader
    this.#ends = ends
    this.#answered = answered
  }

  /**
   * For the hole before a chunk, or for the one at the reader's position.
   *
   * @returns undefined while the broker is asked
   */
  at (chunk: HeldChunk | undefined): number | undefined {
    if (this.#reader.isFiltered || chunk === undefined) {
      return this.#behindFilter(chunk?.chunk.firstOffset ?? this.#reader.position)
    }
    const known = this.#known.get(chunk)
    if (known === undefined && !this.#asking.has(chunk)) {
      this.#asking.add(chunk)
      this.#ask((offset) => { this.#known.set(chunk, offset) }, () => { this.#asking.delete(chunk) })
    }
    return known
  }

  #behindFilter (holeEnd: number): number | undefined {
    const known = this.#answers[this.#firstUpTo(holeEnd)]
    if (known !== undefined) return known.offset
    if (this.#isAsking) return undefined
    this.#isAsking = true
    const upTo = this.#reader.position
    this.#ask((offset) => {
      this.#answers.push({ upTo, offset })
      this.#forgetOld()
    }, () => { this.#isAsking = false })
    return undefined
  }

  // The index of the first answer for a hole that ends here: the stream may have lost more by the time of later ones.
  #firstUpTo (holeEnd: number): number {
    let low = 0
    let high = this.#answers.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#answers[middle]?.upTo ?? Infinity) < holeEnd) low = middle + 1
      else high = middle
    }
    return low
  }

  // What the window has let go of.
  #forgetOld (): void {
    const firstOfUse = this.#answers.findIndex(({ upTo }) => this.#reader.covers(upTo))
    if (firstOfUse > 0) this.#answers.splice(0, firstOfUse)
  }

  #ask (found: (offset: number) => void, done: () => void): void {
    const ended = (): void => {
      done()
      this.#answered()
    }
    this.#ends.firstOffset(this.#reader.stream).then((offset) => {
      found(offset)
      ended()
    }, () => { setTimeout(ended, ASK_AGAIN_MS) })
  }
}
