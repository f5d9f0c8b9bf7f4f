const MAX_NAMES = 50_000
const MAX_NAMES_PER_STREAM = 1_000

/**
 * The names that were used through this process, by stream: the only ones to list when the management API does not
 * answer. Their number is limited, and the names of the stream that was used first are forgotten first.
 */
export class KnownNames {
  readonly #byStream = new Map<string, Set<string>>()
  #count = 0

  add (stream: string, name: string): void {
    const names = this.#byStream.get(stream) ?? new Set()
    if (names.has(name)) return
    for (const oldest of names) {
      if (names.size < MAX_NAMES_PER_STREAM) break
      names.delete(oldest)
      this.#count--
    }
    this.#byStream.set(stream, names.add(name))
    this.#count++
    for (const oldest of this.#byStream.keys()) {
      if (this.#count <= MAX_NAMES) break
      this.forget(oldest)
    }
  }

  of (stream: string): ReadonlySet<string> {
    return this.#byStream.get(stream) ?? new Set()
  }

  forget (stream: string): void {
    this.#count -= this.of(stream).size
    this.#byStream.delete(stream)
  }
}
