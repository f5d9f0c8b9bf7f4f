import { BenchGateway } from '../../bench/gateway.ts'
import { RULES } from '../../test/support/alert-rules.ts'
import { adminKey, keyFile, newKey } from '../../test/support/keyed-gateway.ts'
import { startPrometheus, type Prometheus } from '../../test/support/prometheus.ts'
import { PUSH_SETTINGS } from '../../test/support/push-gateway.ts'
import { list, record } from '../../test/support/schema-values.ts'
import { startBroker } from '../broker/index.mjs'
import { say } from '../setup/say.mjs'
import type { Cleanup } from './cleanup.ts'
import { Client, type Callers } from './client.ts'
import { Clock } from './clock.ts'
import { consume } from './load/consumers.ts'
import { follow } from './load/followers.ts'
import { publish } from './load/publishers.ts'
import { refuse } from './load/refusals.ts'
import { subscribe } from './load/subscriptions.ts'

/** Two gateways on a private RabbitMQ, and a Prometheus that scrapes them. */
export interface Scene {
  readonly prometheus: Prometheus
  /** Does to the gateways what a day of work does to them, in so many seconds. */
  readonly load: (seconds: number) => Promise<void>
}

/** Starts everything. It ends with the cleanup. @param series of RabbitMQ; any that is new enough unless it is given */
export async function startScene (cleanup: Cleanup, series: string | undefined): Promise<Scene> {
  say('Starting a private RabbitMQ, two gateways and a Prometheus ...')
  const { node, close } = await startBroker(series === undefined ? {} : { version: series })
  cleanup.teardown(close)
  const keys = {
    shop: adminKey(),
    reader: newKey({ name: 'analytics' }),
    crawler: newKey({ name: 'crawler', limits: { requestsPerSecond: 1 } }),
    archive: newKey({ name: 'archive', limits: { readBytesPerSecond: 50_000 } })
  }
  const env = {
    RABBITMQ_STREAM_URL: node.streamUrl,
    RABBITMQ_MANAGEMENT_URL: node.managementUrl,
    AUTH: 'api-keys',
    API_KEYS: keyFile(...Object.values(keys)),
    LAG_STREAMS: '*',
    LAG_INTERVAL_SECONDS: '2',
    ...PUSH_SETTINGS
  }
  const gateways = await Promise.all([BenchGateway.start(env), BenchGateway.start(env)])
  for (const gateway of gateways) cleanup.teardown(async () => { await gateway.close() })
  const urls = gateways.map(({ url }) => url)
  const instances = Object.fromEntries(urls.map((url, index) => [`gateway-${index + 1}:8080`, url]))
  const prometheus = await startPrometheus(cleanup, { instances, node: 'rabbit@rabbitmq-1', key: keys.shop.key }, RULES)
  const callers: Callers = {
    shop: new Client(urls, keys.shop.key),
    reader: new Client(urls, keys.reader.key),
    crawler: new Client(urls, keys.crawler.key),
    archive: new Client(urls, keys.archive.key),
    stranger: new Client(urls, newKey().key)
  }
  return {
    prometheus,
    async load (seconds) {
      const clock = new Clock(seconds)
      await createStreams(callers.shop)
      await subscribe(callers, clock, cleanup)
      await Promise.all([
        ...[publish, consume, follow, refuse].map(async (part) => { await part(callers, clock) }),
        clock.until(0.62).then(async () => { await closeConnections(node.managementUrl) })
      ])
    }
  }
}

async function createStreams (shop: Client): Promise<void> {
  await shop.must('PUT', '/v1/streams/orders', { maxAge: '7D' })
  await shop.must('PUT', '/v1/streams/payments', { maxAge: '30D' })
  await shop.must('PUT', '/v1/streams/shipping', {})
  // Small, so that retention has something to do within minutes.
  await shop.must('PUT', '/v1/streams/clicks', { maxLengthBytes: 4_000_000, maxSegmentSizeBytes: 1_000_000 })
}

/** RabbitMQ closes all connections of the stream protocol, as when a node restarts. */
async function closeConnections (managementUrl: string): Promise<void> {
  const { origin, username, password } = new URL(managementUrl)
  const headers = { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` }
  const connections = list(await (await fetch(`${origin}/api/connections`, { headers })).json())
  await Promise.all(connections.map(async (connection) => {
    const name = encodeURIComponent(String(record(connection)['name']))
    await fetch(`${origin}/api/connections/${name}`, { method: 'DELETE', headers })
  }))
}
