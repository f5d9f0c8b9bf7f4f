import type { Test } from 'tap'
import { testManagementUrl } from './broker.ts'

/** Calls the management API for a thing of the virtual host, by default that of the broker of the tests. */
export async function manage (
  method: string, path: string, body?: object, managementUrl = testManagementUrl()
): Promise<void> {
  const { origin, username, password } = new URL(managementUrl)
  const { status } = await fetch(`${origin}/api/${path}`, {
    method,
    headers: { authorization: `Basic ${btoa(`${username}:${password}`)}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) })
  })
  if (status >= 400 && status !== 404) throw new Error(`${method} ${path} answered ${status}`)
}

/** A super stream, as RabbitMQ makes one: an exchange, and streams that are bound to it. Deleted with the test. */
export async function newSuperStream (t: Test, name: string, partitions: readonly string[]): Promise<void> {
  await manage('PUT', `exchanges/%2f/${name}`, {
    type: 'direct', durable: true, arguments: { 'x-super-stream': true }
  })
  t.teardown(async () => { await manage('DELETE', `exchanges/%2f/${name}`) })
  for (const [order, partition] of partitions.entries()) await bindPartition(t, name, partition, order)
}

/** Creates a stream and makes it the partition at this place. Deleted with the test. */
export async function bindPartition (t: Test, superStream: string, partition: string, order: number): Promise<void> {
  await manage('PUT', `queues/%2f/${partition}`, { durable: true, arguments: { 'x-queue-type': 'stream' } })
  t.teardown(async () => { await manage('DELETE', `queues/%2f/${partition}`) })
  await manage('POST', `bindings/%2f/e/${superStream}/q/${partition}`, {
    routing_key: String(order), arguments: { 'x-stream-partition-order': order }
  })
}
