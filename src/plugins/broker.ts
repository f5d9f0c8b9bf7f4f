import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Config } from '../config.ts'
import { BrokerSet, type Broker, type BrokerConnectionOptions, type BrokerSetOptions } from '../streams/index.ts'
import { VERSION } from '../version.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The domain, with the account of the gateway. Connects when it is first needed. */
    broker: Broker
    /** The one above and those of callers whom RabbitMQ judges. */
    brokers: BrokerSet
  }
}

function broker (app: FastifyInstance, config: Config): void {
  const brokers = new BrokerSet(brokerOptions(config, app.log))
  app.decorate('brokers', brokers)
  app.decorate('broker', brokers.own)
  app.onShutdown('no new work', () => { brokers.drain() })
  app.onShutdown('broker', async () => { await brokers.close() })
}

function brokerOptions ({ rabbitmq, publish, read, push }: Config, logger: FastifyBaseLogger): BrokerSetOptions {
  const { management, managementCa, managementTimeoutMs, streamNamePattern } = rabbitmq
  const { publisherIdleMs, readerWindowBytes, readerIdleMs } = rabbitmq
  return {
    connection: connectionOptions(rabbitmq),
    ...(management && { management: { ...management, ca: managementCa, timeoutMs: managementTimeoutMs } }),
    streamNamePattern,
    // Also without deliveries: other instances may keep subscriptions there.
    hiddenStreamPrefix: `${push.streamPrefix}.`,
    publishing: { confirmTimeoutMs: publish.confirmTimeoutMs, publisherIdleMs },
    reading: { readerWindowBytes, readerIdleMs, maxScanBytes: read.maxScanBytes },
    limits: rabbitmq,
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
