import type { ManagementClient, Unchecked } from './management-client.ts'
import { isObject, numberIn, objectsIn, textIn } from './checks.ts'

/** What the management API knows about a stream and the stream protocol does not. */
export interface ManagedStream {
  /** False: the name belongs to a queue of another type. */
  isStream: boolean
  arguments: Record<string, Unchecked>
  segments: number | undefined
}

/** A live subscription or publisher, of any client. */
export interface LiveLink {
  /** The name of the consumer or publisher; undefined when it has none. */
  name: string | undefined
  connectionName: string
  host: string
  isActive: boolean
  /** The first offset of the last chunk that was sent to the subscription. */
  offset: number | undefined
  offsetLag: number | undefined
}

const PAGE = '500'
const MAX_PAGES = 200

/**
 * The names of all streams of the virtual host.
 *
 * @throws StreamsError `management_unavailable`
 */
export async function listStreamNames (client: ManagementClient): Promise<string[]> {
  const names: string[] = []
  for (let page = 1; page <= MAX_PAGES; page++) {
    const answer = await client.get(`queues/${client.virtualHost}`, {
      page: String(page),
      page_size: PAGE,
      columns: 'name,type',
      disable_stats: 'true',
      enable_queue_totals: 'false',
      sort: 'name'
    })
    if (!isObject(answer)) break
    for (const queue of objectsIn(answer.items)) {
      const name = textIn(queue, 'name')
      if (name !== undefined && textIn(queue, 'type') === 'stream') names.push(name)
    }
    if (page >= (numberIn(answer, 'page_count') ?? 1)) break
  }
  return names
}

/** @throws StreamsError `management_unavailable` */
export async function describeManagedStream (
  client: ManagementClient,
  stream: string
): Promise<ManagedStream | undefined> {
  const queue = await client.get(`queues/${client.virtualHost}/${encodeURIComponent(stream)}`)
  if (!isObject(queue)) return undefined
  return {
    isStream: textIn(queue, 'type') === 'stream',
    arguments: isObject(queue.arguments) ? queue.arguments : {},
    segments: numberIn(queue, 'segments')
  }
}

/**
 * The live subscriptions of a stream, for all clients that the management user may see.
 *
 * @throws StreamsError `management_unavailable`
 */
export async function listSubscriptions (client: ManagementClient, stream: string): Promise<LiveLink[]> {
  return linksOf(await client.get(`stream/consumers/${client.virtualHost}`), stream, (link) => {
    const properties = link.properties
    return isObject(properties) ? textIn(properties, 'name') : undefined
  })
}

/** The live publishers of a stream. @throws StreamsError `management_unavailable` */
export async function listLivePublishers (client: ManagementClient, stream: string): Promise<LiveLink[]> {
  const links = await client.get(`stream/publishers/${client.virtualHost}/${encodeURIComponent(stream)}`)
  return linksOf(links, stream, (link) => textIn(link, 'reference'))
}

/**
 * What the leader of the stream stores: the offset of each consumer, or the last publishing id of each publisher.
 * Numbers above 2^53 are inexact.
 *
 * @throws StreamsError `management_unavailable`
 */
export async function listTracking (
  client: ManagementClient,
  stream: string,
  type: 'offset' | 'writer'
): Promise<Map<string, number>> {
  const tracking = await client.get(`stream/${client.virtualHost}/${encodeURIComponent(stream)}/tracking`, { type })
  const kept = isObject(tracking) ? tracking[type === 'offset' ? 'offsets' : 'writers'] : undefined
  const known = new Map<string, number>()
  for (const [name, value] of Object.entries(isObject(kept) ? kept : {})) {
    if (typeof value === 'number') known.set(name, value)
  }
  return known
}

function linksOf (
  answer: Unchecked,
  stream: string,
  nameOf: (link: Record<string, Unchecked>) => string | undefined
): LiveLink[] {
  const links: LiveLink[] = []
  for (const link of objectsIn(answer)) {
    const { queue, connection_details: connection } = link
    if (!isObject(queue) || textIn(queue, 'name') !== stream || !isObject(connection)) continue
    const name = nameOf(link)
    links.push({
      name: name === '' ? undefined : name,
      connectionName: textIn(connection, 'name') ?? '',
      host: textIn(connection, 'peer_host') ?? '',
      isActive: link.active !== false,
      offset: numberIn(link, 'offset'),
      offsetLag: numberIn(link, 'offset_lag')
    })
  }
  return links
}
