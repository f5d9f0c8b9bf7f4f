import type { Test } from 'tap'
import type { Broker, PublishResult } from '../../src/streams/index.ts'
import { FaultProxy } from './proxy.ts'
import { batchOf, newStream, openBroker, testAddresses, type TestBrokerOptions } from './streams.ts'

export interface Bench { proxy: FaultProxy, broker: Broker, direct: Broker, stream: string }

/** A broker of the domain that reaches RabbitMQ through a proxy, another one that reaches it directly, and a stream. */
export async function throughProxy (t: Test, overrides: Partial<TestBrokerOptions> = {}): Promise<Bench> {
  const { host, port } = testAddresses()
  const direct = openBroker(t)
  const stream = await newStream(t, direct)
  const proxy = await FaultProxy.listen({ host, port })
  t.teardown(async () => { await proxy.close() })
  const broker = openBroker(t, {
    hosts: [{ host: proxy.host, port: proxy.port }],
    addressMode: 'configured',
    ...overrides
  })
  const { confirmed } = await publishUntilItWorks(broker, stream, ['first'])
  if (confirmed !== 1) throw new Error('the first message was not confirmed')
  return { proxy, broker, direct, stream }
}

/** Publishes until it works, under a name when one is given. */
export async function publishUntilItWorks (
  broker: Broker,
  stream: string,
  bodies: readonly string[],
  named?: { publisher: string, firstId: number }
): Promise<PublishResult> {
  return await untilItWorks(async () => named === undefined
    ? await broker.publishing.publish(stream, batchOf(bodies))
    : await broker.publishing.publish(stream, batchOf(bodies, named.firstId), { publisher: named.publisher }))
}

/** Asks until it works, as a client does that is told to try again. */
export async function untilItWorks<T> (ask: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await ask()
    } catch (error) {
      if (tries >= 200 || !(error instanceof Error && 'retryable' in error && error.retryable === true)) throw error
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
  }
}
