import type { Reader } from './reader.ts'

/** The readers of a pool, by stream. */
export class Readers {
  readonly #byStream = new Map<string, Set<Reader>>()

  get streams (): string[] {
    return [...this.#byStream.keys()]
  }

  get all (): Reader[] {
    return [...this.#byStream.values()].flatMap((readers) => [...readers])
  }

  get idle (): Reader[] {
    return this.all.filter(({ users }) => users === 0)
  }

  of (stream: string): Reader[] {
    return [...this.#byStream.get(stream) ?? []]
  }

  add (reader: Reader): void {
    const readers = this.#byStream.get(reader.stream)
    if (readers === undefined) this.#byStream.set(reader.stream, new Set([reader]))
    else readers.add(reader)
  }

  /** False when it was removed before. */
  remove (reader: Reader): boolean {
    const readers = this.#byStream.get(reader.stream)
    if (readers?.delete(reader) !== true) return false
    if (readers.size === 0) this.#byStream.delete(reader.stream)
    return true
  }

  /** The reader with this filter that is furthest, of those whose window has the offset. */
  find (stream: string, offset: number, filterKey: string): Reader | undefined {
    let best: Reader | undefined
    for (const reader of this.#byStream.get(stream) ?? []) {
      if (reader.filterKey !== filterKey || !reader.covers(offset)) continue
      if (best === undefined || reader.position > best.position) best = reader
    }
    return best
  }

  /** The offset that the stream reaches at least, by what its readers have seen; 0 when nothing is known. */
  knownEnd (stream: string): number {
    let end = 0
    for (const reader of this.#byStream.get(stream) ?? []) {
      if (reader.ended === undefined && reader.arrivals > 0) end = Math.max(end, reader.position)
    }
    return end
  }
}
