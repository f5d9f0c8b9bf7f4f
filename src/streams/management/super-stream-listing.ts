import { isObject, numberIn, objectsIn, textIn } from './checks.ts'
import type { ManagementClient } from './management-client.ts'

const PAGE = '500'
const MAX_PAGES = 200

/**
 * The names of all super streams of the virtual host: the exchanges that were made as such.
 *
 * @throws StreamsError `management_unavailable`
 */
export async function listSuperStreamNames (client: ManagementClient): Promise<string[]> {
  const names: string[] = []
  for (let page = 1; page <= MAX_PAGES; page++) {
    const answer = await client.get(`exchanges/${client.virtualHost}`, {
      page: String(page), page_size: PAGE, columns: 'name,arguments', disable_stats: 'true', sort: 'name'
    })
    if (!isObject(answer)) break
    for (const exchange of objectsIn(answer.items)) {
      const name = textIn(exchange, 'name')
      if (name !== undefined && isObject(exchange.arguments) && isTrue(exchange.arguments['x-super-stream'])) {
        names.push(name)
      }
    }
    if (page >= (numberIn(answer, 'page_count') ?? 1)) break
  }
  return names
}

/** Whether there is an exchange of this name that was made as a super stream. @throws as `listSuperStreamNames` */
export async function isSuperStreamExchange (client: ManagementClient, name: string): Promise<boolean> {
  const exchange = await client.get(`exchanges/${client.virtualHost}/${encodeURIComponent(name)}`)
  return isObject(exchange) && isObject(exchange.arguments) && isTrue(exchange.arguments['x-super-stream'])
}

/**
 * With which key each partition of a super stream is bound: the first one in the order of the broker, where it has
 * several.
 *
 * @throws as `listSuperStreamNames`
 */
export async function listBindingKeys (client: ManagementClient, superStream: string): Promise<Map<string, string>> {
  const path = `exchanges/${client.virtualHost}/${encodeURIComponent(superStream)}/bindings/source`
  const bindings = objectsIn(await client.get(path)).map((binding) => ({
    partition: textIn(binding, 'destination'),
    key: textIn(binding, 'routing_key'),
    order: isObject(binding.arguments) ? numberIn(binding.arguments, 'x-stream-partition-order') ?? 0 : 0
  }))
  const keys = new Map<string, string>()
  for (const { partition, key } of bindings.sort((a, b) => a.order - b.order)) {
    if (partition !== undefined && key !== undefined && !keys.has(partition)) keys.set(partition, key)
  }
  return keys
}

// Who makes such an exchange by AMQP may write it in any of these ways.
function isTrue (value: unknown): boolean {
  return value === true || value === 'true'
}
