/**
 * A pattern in which `*` stands for any text. Everything else is itself, encoded where it has to be: `%2A` is the
 * asterisk, `%2B` the plus, and a plus a space. RabbitMQ's OAuth 2 plugin has the same patterns: it looks for each text
 * after an asterisk at its first place only, so `*.out` is not `a.out.out`.
 */
export class Wildcard {
  readonly #first: string
  readonly #rest: readonly string[]

  /** @throws RangeError when a `%` does not begin an encoded character */
  constructor (pattern: string) {
    const [first = '', ...rest] = pattern.split('*').map(decoded)
    this.#first = first
    this.#rest = rest
  }

  /** Takes time in proportion to the length of the text, whatever the pattern. */
  matches (text: string): boolean {
    if (!text.startsWith(this.#first)) return false
    let at = this.#first.length
    for (const [index, part] of this.#rest.entries()) {
      if (part === '' && index === this.#rest.length - 1) return true
      // Two asterisks want at least one character, in RabbitMQ too.
      if (at === text.length) return false
      const found = text.indexOf(part, at)
      if (found < 0) return false
      at = found + part.length
    }
    return at === text.length
  }
}

function decoded (part: string): string {
  try {
    return decodeURIComponent(part.replaceAll('+', ' '))
  } catch (cause) {
    throw new RangeError('a % does not begin an encoded character', { cause })
  }
}
