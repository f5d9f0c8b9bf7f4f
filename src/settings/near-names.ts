const MAX_MISTAKES = 2

/** The name that was most likely meant: misspelt, written in other letters, or with a word left out. */
export function nearestName (name: string, names: readonly string[]): string | undefined {
  const upper = name.toUpperCase()
  let nearest: string | undefined
  let fewest = MAX_MISTAKES + 1
  for (const candidate of names) {
    const mistakes = distance(upper, candidate, fewest)
    if (mistakes < fewest) [nearest, fewest] = [candidate, mistakes]
  }
  return nearest ?? soleOne(names.filter((candidate) => leavesOut(upper, candidate))) ??
    soleOne(names.filter((candidate) => differsInLast(upper, candidate)))
}

function soleOne (names: readonly string[]): string | undefined {
  return names.length === 1 ? names[0] : undefined
}

// RABBITMQ_URL of RABBITMQ_STREAM_URL, DRAIN_TIMEOUT of DRAIN_TIMEOUT_MS.
function leavesOut (name: string, candidate: string): boolean {
  const words = name.split('_')
  let found = 0
  for (const word of candidate.split('_')) {
    if (word === words[found]) found++
  }
  return words.length > 1 && found === words.length
}

// DRAIN_TIMEOUT_SECONDS of DRAIN_TIMEOUT_MS: the last word is the unit.
function differsInLast (name: string, candidate: string): boolean {
  const end = name.lastIndexOf('_')
  return name.indexOf('_') < end && candidate.slice(0, candidate.lastIndexOf('_')) === name.slice(0, end)
}

/**
 * How many letters have to be added, left out, changed, or exchanged with their neighbour to make `b` of `a`.
 *
 * @returns `limit` or more when there are too many
 */
function distance (a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1]
      const isExchanged = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      row.push(Math.min(
        at(last, j) + 1,
        at(row, j - 1) + 1,
        at(last, j - 1) + (isSame ? 0 : 1),
        isExchanged ? at(beforeLast, j - 2) + 1 : Infinity
      ))
    }
    beforeLast = last
    last = row
  }
  return at(last, b.length)
}

function at (row: readonly number[], index: number): number {
  return row[index] ?? Infinity
}
