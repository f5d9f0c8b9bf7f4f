import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import { startBroker, type BrokerNode } from '../../scripts/broker/index.mjs'

/** The stream URL of the RabbitMQ that `npm test` has started: `rabbitmq-stream://user:password@host:port/vhost`. */
export function testStreamUrl (): string {
  return fromEnvironment('TEST_STREAM_URL')
}

/** Its management API: `http://user:password@host:port`. */
export function testManagementUrl (): string {
  return fromEnvironment('TEST_MANAGEMENT_URL')
}

/** Its AMQP 0-9-1 and 1.0 port: `amqp://user:password@host:port/vhost`. */
export function testAmqpUrl (): string {
  return fromEnvironment('TEST_AMQP_URL')
}

/** A name that no other test, in this run or another, uses. */
export function uniqueName (prefix: string): string {
  return `${prefix}-${randomUUID()}`
}

/** The stream URL of the nodes of a private broker, as one cluster. */
export function clusterUrl (nodes: readonly BrokerNode[]): string {
  const hosts = nodes.map(({ streamPort }) => `127.0.0.1:${streamPort}`)
  return `rabbitmq-stream://guest:guest@${hosts.join(',')}/%2f`
}

interface PrivateBrokerOptions {
  nodes?: number
  configuration?: string[]
  plugins?: string[]
  tls?: { ca: string, cert: string, key: string }
}

/**
 * A RabbitMQ for one test alone, to be stopped, killed and restarted at will. It is closed with the test.
 * Start-up takes 5 to 10 seconds: share one among the cases of a file by starting it in the outer test.
 */
export async function startPrivateBroker (
  t: Test,
  options: PrivateBrokerOptions = {}
): Promise<{ node: BrokerNode, nodes: BrokerNode[] }> {
  const version = process.env['TEST_RABBITMQ']
  const broker = await startBroker({ ...options, ...version && { version } })
  t.teardown(() => broker.close())
  return broker
}

function fromEnvironment (name: string): string {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set: run the tests by \`npm test\`, or \`npm test -- FILE\` for one file`)
  return value
}
