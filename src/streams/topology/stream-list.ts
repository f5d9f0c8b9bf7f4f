/** The names to list. */
export interface PageQuery {
  /** Only names that begin with this. */
  prefix?: string | undefined
  /** At most this many names. */
  limit: number
  /** The last name of the previous page. */
  cursor?: string | undefined
}

export interface NamePage {
  streams: string[]
  /** The cursor of the next page; null on the last one. */
  nextCursor: string | null
}

/** One page of the names, in ascending order. */
export function pageOf (names: readonly string[], { prefix = '', limit, cursor }: PageQuery): NamePage {
  const wanted = names.filter((name) => name.startsWith(prefix) && (cursor === undefined || name > cursor)).sort()
  const streams = wanted.slice(0, limit)
  return { streams, nextCursor: wanted.length > limit ? streams.at(-1) ?? null : null }
}
