import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Config } from '../config.ts'
import { Broker, ByteBudget, type BrokerConnectionOptions, type BrokerOptions } from '../streams/index.ts'
import { VERSION } from '../version.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The domain. Connects when it is first needed. */
    broker: Broker
  }
}

function broker (app: FastifyInstance, config: Config): void {
  const broker = new Broker(brokerOptions(config, app.log))
  app.decorate('broker', broker)
  app.onShutdown('no new work', () => { broker.drain() })
  app.onShutdown('broker', async () => { await broker.close() })
}

function brokerOptions ({ rabbitmq, publish }: Config, logger: FastifyBaseLogger): BrokerOptions {
  const { management, managementCa, managementTimeoutMs, streamNamePattern } = rabbitmq
  const { maxPublishers, publisherIdleMs } = rabbitmq
  const { readerWindowBytes, maxReaders, readerIdleMs, maxExpandedSubEntryBytes } = rabbitmq
  return {
    connection: connectionOptions(rabbitmq),
    ...(management && { management: { ...management, ca: managementCa, timeoutMs: managementTimeoutMs } }),
    streamNamePattern,
    publishing: { confirmTimeoutMs: publish.confirmTimeoutMs, maxPublishers, publisherIdleMs },
    reading: { readerWindowBytes, maxReaders, readerIdleMs, maxExpandedSubEntryBytes },
    budgets: {
      publish: new ByteBudget(rabbitmq.publishBudgetBytes),
      read: new ByteBudget(rabbitmq.readBudgetBytes)
    },
    logger
  }
}

function connectionOptions (settings: Config['rabbitmq']): BrokerConnectionOptions {
  const { stream, authMechanism, tlsCa, tlsCert, tlsKey, tlsServerName, ...rest } = settings
  const { addressMode, connectTimeoutMs, requestTimeoutMs, heartbeatSeconds, frameMaxBytes } = rest
  const { reconnectDelayMs, maxReconnectDelayMs, connectionIdleMs } = rest
  return {
    hosts: stream.hosts,
    ...(stream.isTls && { tls: { ca: tlsCa, cert: tlsCert, key: tlsKey, servername: tlsServerName } }),
    authentication: authMechanism === 'EXTERNAL'
      ? { mechanism: 'EXTERNAL' }
      : { mechanism: 'PLAIN', username: stream.username, password: stream.password },
    virtualHost: stream.virtualHost,
    client: { product: 'rabbitmq-stream-gateway', version: VERSION },
    addressMode,
    connectTimeoutMs,
    requestTimeoutMs,
    heartbeatSeconds,
    frameMaxBytes,
    reconnectDelayMs,
    maxReconnectDelayMs,
    connectionIdleMs
  }
}

export default fp<Config>(async (app, config) => broker(app, config), {
  name: 'broker',
  dependencies: ['lifecycle']
})
