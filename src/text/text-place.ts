/** A place in a text as an editor shows it: both count from 1, and columns count characters. */
export interface TextPlace { readonly line: number, readonly column: number }

/** The place of the byte at `at`. */
export function placeOf (bytes: Uint8Array, at: number): TextPlace {
  const finder = new PlaceFinder(bytes, at)
  finder.advance(Infinity)
  return finder.place
}

/** Finds the place of a byte in steps: far into a large text, that takes longer than others can wait. */
export class PlaceFinder {
  readonly #bytes: Uint8Array
  readonly #end: number
  #at = 0
  #line = 1
  #column = 1

  /** @param at the position of the byte, at most the length of the text */
  constructor (bytes: Uint8Array, at: number) {
    this.#bytes = bytes
    this.#end = at
  }

  /** The place, once `advance` has returned true. */
  get place (): TextPlace {
    return { line: this.#line, column: this.#column }
  }

  /** How many bytes are before the byte that have not been looked at. */
  get left (): number {
    return this.#end - this.#at
  }

  /** Looks at this many more bytes. @returns whether the byte was reached */
  advance (bytes: number): boolean {
    const stop = Math.min(this.#end, this.#at + Math.max(0, bytes))
    let column = this.#column
    for (let index = this.#at; index < stop; index++) {
      const byte = this.#bytes[index] ?? 0
      if (byte === LINE_FEED) {
        this.#line++
        column = 1
      } else if ((byte & 0xc0) !== 0x80) { // the bytes of a character after its first one do not count
        column++
      }
    }
    this.#column = column
    this.#at = stop
    return stop === this.#end
  }
}

const LINE_FEED = 0x0a
