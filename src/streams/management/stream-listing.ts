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
  /** The name that the client gave; undefined when it gave none, or while the management API does not know. */
  connectionName: string | undefined
  /** Undefined while the management API does not know. */
  host: string | undefined
  /** Since when the client is connected, ms since the epoch. */
  connectedAtMs: number | undefined
  isActive: boolean
  /** The first offset of the last chunk that was sent to the subscription. */
  offset: number | undefined
  offsetLag: number | undefined
}

const NO_CONNECTIONS: ReadonlyMap<string, LiveConnection> = new Map()
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
  return await linksOf(client, await client.get(`stream/consumers/${client.virtualHost}`), stream, (link) => {
    const properties = link.properties
    return isObject(properties) ? textIn(properties, 'name') : undefined
  })
}

/** The live publishers of a stream. @throws StreamsError `management_unavailable` */
export async function listLivePublishers (client: ManagementClient, stream: string): Promise<LiveLink[]> {
  const links = await client.get(`stream/publishers/${client.virtualHost}/${encodeURIComponent(stream)}`)
  return await linksOf(client, links, stream, (link) => textIn(link, 'reference'))
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

async function linksOf (
  client: ManagementClient,
  answer: Unchecked,
  stream: string,
  nameOf: (link: Record<string, Unchecked>) => string | undefined
): Promise<LiveLink[]> {
  const found = objectsIn(answer).filter(({ queue }) => isObject(queue) && textIn(queue, 'name') === stream)
  const connections = found.length === 0 ? NO_CONNECTIONS : await connectionsOf(client)
  return found.map((link) => {
    const { connection_details: details } = link
    const socket = isObject(details) ? textIn(details, 'name') : undefined
    const name = nameOf(link)
    return {
      name: name === '' ? undefined : name,
      connectionName: undefined,
      connectedAtMs: undefined,
      host: isObject(details) ? textIn(details, 'peer_host') : undefined,
      ...(socket === undefined ? {} : connections.get(socket)),
      isActive: link.active !== false,
      offset: numberIn(link, 'offset'),
      offsetLag: numberIn(link, 'offset_lag')
    }
  })
}

type LiveConnection = Pick<LiveLink, 'connectionName' | 'connectedAtMs'>

// By the two ends of the socket, which a link names.
async function connectionsOf (client: ManagementClient): Promise<ReadonlyMap<string, LiveConnection>> {
  const connections = new Map<string, LiveConnection>()
  for (const connection of objectsIn(await client.get(`stream/connections/${client.virtualHost}`))) {
    const { client_properties: properties } = connection
    const connectionName = isObject(properties) ? textIn(properties, 'connection_name') : undefined
    const socket = textIn(connection, 'name')
    const connectedAtMs = numberIn(connection, 'connected_at')
    if (socket !== undefined) connections.set(socket, { connectionName, connectedAtMs })
  }
  return connections
}
