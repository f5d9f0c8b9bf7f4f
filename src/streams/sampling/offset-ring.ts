/** Where a stream began and ended at a time. */
export interface OffsetSample {
  /** ms since the epoch. */
  readonly timeMs: number
  readonly firstOffset: number
  readonly nextOffset: number
}

const FIELDS = 3
// Most streams that are looked at every half a minute need no more for half an hour.
const FIRST_CAPACITY = 64

/**
 * The latest samples of a stream. They take 24 bytes each; the memory grows with their number, up to the capacity.
 */
export class OffsetRing {
  readonly #capacity: number
  #values: Float64Array
  #begin = 0
  #length = 0

  constructor (capacity: number) {
    this.#capacity = capacity
    this.#values = new Float64Array(Math.min(capacity, FIRST_CAPACITY) * FIELDS)
  }

  get length (): number {
    return this.#length
  }

  /** A stream whose end went back is another stream of the same name: its samples begin anew. */
  add ({ timeMs, firstOffset, nextOffset }: OffsetSample): void {
    const last = this.#at(this.#length - 1)
    if (last !== undefined && nextOffset < last.nextOffset) this.#length = 0
    if (this.#length === this.#room && this.#room < this.#capacity) this.#grow()
    if (this.#length === this.#room) {
      this.#begin = (this.#begin + 1) % this.#room
      this.#length--
    }
    const at = ((this.#begin + this.#length) % this.#room) * FIELDS
    this.#values.set([timeMs, firstOffset, nextOffset], at)
    this.#length++
  }

  /** The samples since a time, the oldest first. */
  since (timeMs: number): OffsetSample[] {
    const samples: OffsetSample[] = []
    for (let index = 0; index < this.#length; index++) {
      const sample = this.#at(index)
      if (sample !== undefined && sample.timeMs >= timeMs) samples.push(sample)
    }
    return samples
  }

  /**
   * When the stream reached an offset, that is when its record was written, ms since the epoch: between two samples as
   * if the stream had grown evenly. Undefined when that was before the first sample, or has not been seen yet.
   */
  timeOf (offset: number): number | undefined {
    const after = this.#firstBeyond(offset)
    const [before, beyond] = [this.#at(after - 1), this.#at(after)]
    if (before === undefined || beyond === undefined) return undefined
    const part = (offset - before.nextOffset) / (beyond.nextOffset - before.nextOffset)
    return before.timeMs + part * (beyond.timeMs - before.timeMs)
  }

  // The index of the first sample whose end is beyond the offset. Ends never go back.
  #firstBeyond (offset: number): number {
    let [low, high] = [0, this.#length]
    while (low < high) {
      const middle = (low + high) >>> 1
      const sample = this.#at(middle)
      if (sample !== undefined && sample.nextOffset > offset) high = middle
      else low = middle + 1
    }
    return low
  }

  #at (index: number): OffsetSample | undefined {
    if (index < 0 || index >= this.#length) return undefined
    const at = ((this.#begin + index) % this.#room) * FIELDS
    const [timeMs, firstOffset, nextOffset] = this.#values.subarray(at, at + FIELDS)
    if (timeMs === undefined || firstOffset === undefined || nextOffset === undefined) return undefined
    return { timeMs, firstOffset, nextOffset }
  }

  get #room (): number {
    return this.#values.length / FIELDS
  }

  // Only while it is full from its begin to its end: before anything was overwritten.
  #grow (): void {
    const larger = new Float64Array(Math.min(this.#capacity, this.#room * 2) * FIELDS)
    const first = this.#values.subarray(this.#begin * FIELDS)
    larger.set(first)
    larger.set(this.#values.subarray(0, this.#begin * FIELDS), first.length)
    this.#begin = 0
    this.#values = larger
  }
}
