import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Config } from '../config.ts'
import { Broker, type BrokerOptions } from '../streams/index.ts'
import { VERSION } from '../version.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The domain. Connects when it is first needed. */
    broker: Broker
  }
}

function broker (app: FastifyInstance, { rabbitmq, publish }: Config): void {
  const broker = new Broker({ ...brokerOptions(rabbitmq), confirmTimeoutMs: publish.confirmTimeoutMs, logger: app.log })
  app.decorate('broker', broker)
  app.addHook('onClose', () => broker.close())
}

function brokerOptions (settings: Config['rabbitmq']): Omit<BrokerOptions, 'logger' | 'confirmTimeoutMs'> {
  const { stream, authMechanism, management, managementCa, tlsCa, tlsCert, tlsKey, tlsServerName, ...rest } = settings
  return {
    ...rest,
    client: { product: 'rabbitmq-stream-gateway', version: VERSION },
    hosts: stream.hosts,
    virtualHost: stream.virtualHost,
    ...(stream.isTls && { tls: { ca: tlsCa, cert: tlsCert, key: tlsKey, servername: tlsServerName } }),
    authentication: authMechanism === 'EXTERNAL'
      ? { mechanism: 'EXTERNAL' }
      : { mechanism: 'PLAIN', username: stream.username, password: stream.password },
    ...(management && { management: { ...management, ca: managementCa } })
  }
}

export default fp<Config>(async (app, config) => broker(app, config), { name: 'broker' })
