import { isObject, numberIn, objectsIn, textIn } from './checks.ts'
import type { ManagementClient, Unchecked } from './management-client.ts'

/** A stream in the list that samples are made from. */
export interface ListedStream {
  readonly name: string
  /** Undefined until the broker has counted them, which it does every few seconds. */
  readonly segments: number | undefined
  /** Whether an argument or a policy removes old segments. */
  readonly hasRetention: boolean
}

/** The disk of a node of the broker. */
export interface NodeDisk {
  readonly node: string
  readonly freeBytes: number
  /** Below this the broker raises an alarm, and takes no messages. */
  readonly limitBytes: number
  readonly hasAlarm: boolean
}

/** How many live subscriptions have a name, by stream and name. */
export type SubscriptionCounts = ReadonlyMap<string, ReadonlyMap<string, number>>

const PAGE = '500'
const MAX_PAGES = 200
const RETENTION = ['max-age', 'max-length-bytes']

/** All streams of the virtual host. @throws StreamsError `management_unavailable` */
export async function listSampledStreams (client: ManagementClient): Promise<ListedStream[]> {
  const streams: ListedStream[] = []
  for (let page = 1; page <= MAX_PAGES; page++) {
    const answer = await client.get(`queues/${client.virtualHost}`, {
      page: String(page),
      page_size: PAGE,
      columns: 'name,type,segments,arguments,effective_policy_definition',
      enable_queue_totals: 'false',
      sort: 'name'
    })
    if (!isObject(answer)) break
    for (const queue of objectsIn(answer.items)) {
      const name = textIn(queue, 'name')
      if (name === undefined || textIn(queue, 'type') !== 'stream') continue
      streams.push({ name, segments: numberIn(queue, 'segments'), hasRetention: hasRetention(queue) })
    }
    if (page >= (numberIn(answer, 'page_count') ?? 1)) break
  }
  return streams
}

/** The live subscriptions of all streams that have a name, of all clients. @throws as `listSampledStreams` */
export async function countSubscriptions (client: ManagementClient): Promise<SubscriptionCounts> {
  const counts = new Map<string, Map<string, number>>()
  for (const { queue, properties } of objectsIn(await client.get(`stream/consumers/${client.virtualHost}`))) {
    const stream = isObject(queue) ? textIn(queue, 'name') : undefined
    const name = isObject(properties) ? textIn(properties, 'name') : undefined
    if (stream === undefined || name === undefined || name === '') continue
    const ofStream = counts.get(stream) ?? new Map<string, number>()
    counts.set(stream, ofStream.set(name, (ofStream.get(name) ?? 0) + 1))
  }
  return counts
}

/** The disks of all nodes. The account needs the tag `monitoring`. @throws as `listSampledStreams` */
export async function listDisks (client: ManagementClient): Promise<NodeDisk[]> {
  const nodes = await client.get('nodes', { columns: 'name,disk_free,disk_free_limit,disk_free_alarm' })
  return objectsIn(nodes).flatMap((node) => {
    const [name, freeBytes, limitBytes] = [textIn(node, 'name'), numberIn(node, 'disk_free'),
      numberIn(node, 'disk_free_limit')]
    if (name === undefined || freeBytes === undefined || limitBytes === undefined) return []
    return [{ node: name, freeBytes, limitBytes, hasAlarm: node.disk_free_alarm === true }]
  })
}

function hasRetention ({ arguments: args, effective_policy_definition: policy }: Record<string, Unchecked>): boolean {
  return RETENTION.some((name) => {
    return (isObject(args) && args[`x-${name}`] !== undefined) || (isObject(policy) && policy[name] !== undefined)
  })
}
