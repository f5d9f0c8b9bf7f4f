/**
 * The offered media type that a client prefers, by the `q` values of its `Accept` header; of equal ones the first
 * offered. Undefined when the client accepts none of the offered types.
 */
export function negotiate<T extends string> (accept: string | undefined, offered: readonly T[]): T | undefined {
  if (accept === undefined || accept.trim() === '') return offered[0]
  const ranges = accept.split(',').map(parseRange)
  let best: T | undefined
  let bestQuality = 0
  for (const type of offered) {
    const quality = qualityOf(type, ranges)
    if (quality > bestQuality) {
      best = type
      bestQuality = quality
    }
  }
  return best
}

interface MediaRange { range: string, quality: number }

function parseRange (text: string): MediaRange {
  const [range = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase())
  const quality = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2)
  return { range, quality: quality === undefined ? 1 : Number(quality) || 0 }
}

// The most specific range decides: `text/*;q=0, text/plain` accepts text/plain.
function qualityOf (type: string, ranges: readonly MediaRange[]): number {
  const family = `${type.split('/', 1)[0] ?? ''}/*`
  for (const wanted of [type, family, '*/*']) {
    const match = ranges.find(({ range }) => range === wanted)
    if (match !== undefined) return match.quality
  }
  return 0
}

/**
 * The offered content coding that a client prefers, by the `q` values of its `Accept-Encoding` header; of equal ones
 * the first offered. Undefined when the client names none of them, or likes an answer without a coding better.
 */
export function negotiateCoding<T extends string> (accept: string | undefined, offered: readonly T[]): T | undefined {
  if (accept === undefined) return undefined
  const ranges = accept.split(',').map(parseRange)
  const qualityOf = (name: string): number | undefined => ranges.find(({ range }) => range === name)?.quality
  let best: T | undefined
  let bestQuality = qualityOf('identity') ?? 0
  for (const coding of offered) {
    const quality = qualityOf(coding) ?? qualityOf('*') ?? 0
    if (quality > bestQuality || (quality === bestQuality && quality > 0 && best === undefined)) {
      best = coding
      bestQuality = quality
    }
  }
  return best
}
