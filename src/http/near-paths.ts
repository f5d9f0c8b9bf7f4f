/** A path of the API, for example `/v1/streams/:stream`. */
export type PathTemplate = string

const MAX_MISTAKES = 2
// Longer ones are no misspelling of a segment of a template.
const MAX_SEGMENT_LENGTH = 20
const MAX_SEGMENTS = 10

/**
 * The path that was most likely meant: without a slash at the end or a double one, behind `/v1`, with a word corrected,
 * or with the slashes of a name encoded. Undefined when none is near.
 */
export function nearPath (path: string, templates: readonly PathTemplate[]): string | undefined {
  const given = path.split('/').filter((segment) => segment !== '')
  if (given.length > MAX_SEGMENTS) return undefined
  for (const segments of [given, ['v1', ...given], ...withJoinedName(given)]) {
    const found = nearest(segments, templates)
    if (found !== undefined && found !== path) return found
  }
  return undefined
}

// A name with slashes: /v1/streams/a/b/messages is /v1/streams/a%2Fb/messages.
function withJoinedName ([version = '', room = '', ...rest]: readonly string[]): string[][] {
  return rest.slice(1).map((_, index) => {
    const count = index + 2
    return [version, room, rest.slice(0, count).join('%2F'), ...rest.slice(count)]
  })
}

function nearest (segments: readonly string[], templates: readonly PathTemplate[]): string | undefined {
  let best: string | undefined
  let fewest = MAX_MISTAKES + 1
  for (const template of templates) {
    const wanted = template.split('/').slice(1)
    if (wanted.length !== segments.length) continue
    let mistakes = 0
    const path = wanted.map((word, index) => {
      const segment = segments[index] ?? ''
      if (word.startsWith(':')) return segment
      mistakes += mistakesIn(segment, word)
      return word
    })
    if (mistakes >= fewest) continue
    fewest = mistakes
    best = `/${path.join('/')}`
  }
  return best
}

function mistakesIn (given: string, word: string): number {
  if (given === word) return 0
  if (given.length > MAX_SEGMENT_LENGTH) return Infinity
  const text = given.toLowerCase()
  if (text === word) return 1
  return word.length < 4 && text.length !== word.length ? Infinity : distance(text, word)
}

/** How many letters have to be added, left out or changed. */
function distance (from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const changed = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1)
      next.push(Math.min(changed, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}
