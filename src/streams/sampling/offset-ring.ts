/** Where a stream began and ended at a time. */
export interface OffsetSample {
  /** ms since the epoch. */
  readonly timeMs: number
  readonly firstOffset: number
  readonly nextOffset: number
}

const FIELDS = 3
const SAMPLE_BYTES = FIELDS * Float64Array.BYTES_PER_ELEMENT
// Of all streams together.
const HISTORY_BYTES = 64 * 1024 * 1024
// Most streams that are looked at every half a minute need no more for half an hour.
const FIRST_CAPACITY = 64
const LEAST_CAPACITY = 3

/** How much of the past a stream has. */
export interface RingSize {
  /** Most samples. */
  readonly capacity: number
  /** The least time between two samples that are kept. */
  readonly spacingMs: number
}

/**
 * The size of the rings of several streams, which together take 64 MiB at most. Where that is too little for every
 * sample of the time, some are left out.
 */
export function ringSize (historyMs: number, intervalMs: number, streams: number): RingSize {
  const wanted = Math.ceil(historyMs / intervalMs) + 1
  const room = Math.floor(HISTORY_BYTES / SAMPLE_BYTES / Math.max(1, streams))
  if (wanted <= room) return { capacity: wanted, spacingMs: 0 }
  // The latest one is kept whatever its time is, and one more makes up for the others that come a little late.
  const capacity = Math.max(room, LEAST_CAPACITY)
  return { capacity, spacingMs: historyMs / (capacity - 2) }
}

/**
 * The latest samples of a stream. They take 24 bytes each; the memory grows with their number, up to the capacity.
 */
export class OffsetRing {
  readonly #capacity: number
  readonly #spacingMs: number
  #values: Float64Array
  #begin = 0
  #length = 0

  constructor ({ capacity, spacingMs }: RingSize) {
    this.#capacity = capacity
    this.#spacingMs = spacingMs
    this.#values = new Float64Array(Math.min(capacity, FIRST_CAPACITY) * FIELDS)
  }

  get length (): number {
    return this.#length
  }

  /**
   * A stream whose begin or end went back is another stream of the same name: its samples begin anew. So they do when
   * the clock went back.
   *
   * @returns whether they began anew
   */
  add (sample: OffsetSample): boolean {
    const { timeMs, firstOffset, nextOffset } = sample
    const last = this.#at(this.#length - 1)
    const beginsAnew = last !== undefined && isBefore(sample, last)
    const before = this.#at(this.#length - 2)
    if (beginsAnew) this.#length = 0
    // The last one was kept only because it was the latest.
    else if (last !== undefined && before !== undefined && last.timeMs - before.timeMs < this.#spacingMs) this.#length--
    if (this.#length === this.#room && this.#room < this.#capacity) this.#grow()
    if (this.#length === this.#room) {
      this.#begin = (this.#begin + 1) % this.#room
      this.#length--
    }
    const at = ((this.#begin + this.#length) % this.#room) * FIELDS
    this.#values.set([timeMs, firstOffset, nextOffset], at)
    this.#length++
    return beginsAnew
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

function isBefore (one: OffsetSample, other: OffsetSample): boolean {
  return one.nextOffset < other.nextOffset || one.firstOffset < other.firstOffset || one.timeMs < other.timeMs
}
