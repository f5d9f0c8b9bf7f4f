/** The names to list. */
export interface PageQuery {
  /** Only names that begin with this. */
  prefix?: string | undefined
  /** At most this many names. */
  limit: number
  /** The last name of the previous page. */
  cursor?: string | undefined
}

/** Which of the broker's streams a caller is shown. */
export type StreamFilter = (stream: string) => boolean

export interface NamePage {
  streams: string[]
  /** The cursor of the next page; null on the last one. */
  nextCursor: string | null
}

/** A stream under both names. */
export interface NamedStream { readonly name: string, readonly brokerName: string }

/** At most this many streams are looked at together: a page is filled after some of them are left out. */
const AT_A_TIME = 500

/**
 * One page of the names, in ascending order.
 *
 * @param shown leaves out those that the caller is not shown
 */
export async function pageOf (
  all: readonly NamedStream[],
  { prefix = '', limit, cursor }: PageQuery,
  shown: (streams: readonly NamedStream[]) => Promise<readonly NamedStream[]>
): Promise<NamePage> {
  const wanted = all
    .filter(({ name }) => name.startsWith(prefix) && (cursor === undefined || name > cursor))
    .sort((a, b) => a.name < b.name ? -1 : 1)
  const streams: string[] = []
  for (let at = 0; at < wanted.length && streams.length <= limit; at += AT_A_TIME) {
    for (const { name } of await shown(wanted.slice(at, at + AT_A_TIME))) streams.push(name)
  }
  if (streams.length <= limit) return { streams, nextCursor: null }
  const page = streams.slice(0, limit)
  return { streams: page, nextCursor: page.at(-1) ?? null }
}
