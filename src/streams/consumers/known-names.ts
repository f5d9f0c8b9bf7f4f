const MAX_STREAMS = 10_000
const MAX_NAMES_PER_STREAM = 1_000

/**
 * Names that were used through this process, by stream: all there is to list when the management API cannot be asked.
 * Bounded; the names of the stream that was used first are forgotten first.
 */
export class KnownNames {
  readonly #byStream = new Map<string, Set<string>>()

  add (stream: string, name: string): void {
    let names = this.#byStream.get(stream)
    if (names === undefined) {
      if (this.#byStream.size >= MAX_STREAMS) forgetFirst(this.#byStream)
      names = new Set()
      this.#byStream.set(stream, names)
    }
    if (!names.has(name) && names.size >= MAX_NAMES_PER_STREAM) forgetFirst(names)
    names.add(name)
  }

  of (stream: string): ReadonlySet<string> {
    return this.#byStream.get(stream) ?? new Set()
  }

  forget (stream: string): void {
    this.#byStream.delete(stream)
  }
}

function forgetFirst (names: Map<string, unknown> | Set<string>): void {
  const first = names.keys().next()
  if (first.done !== true) names.delete(first.value)
}
