/**
 * A pattern in which `*` stands for any text. Everything else is itself, percent-encoded where it has to be: `%2A` is
 * the asterisk. RabbitMQ's OAuth 2 plugin has the same patterns.
 */
export class Wildcard {
  readonly #parts: readonly string[]

  /** @throws RangeError when a `%` does not begin an encoded character */
  constructor (pattern: string) {
    this.#parts = pattern.split('*').map(decoded)
  }

  /** Takes time in proportion to the length of the text, whatever the pattern. */
  matches (text: string): boolean {
    const [first = '', ...rest] = this.#parts
    const last = rest.pop()
    if (last === undefined) return text === first
    if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false
    const end = text.length - last.length
    let at = first.length
    for (const part of rest) {
      const found = text.indexOf(part, at)
      if (found < 0 || found + part.length > end) return false
      at = found + part.length
    }
    return true
  }
}

function decoded (part: string): string {
  try {
    return decodeURIComponent(part)
  } catch (cause) {
    throw new RangeError('a % does not begin an encoded character', { cause })
  }
}
