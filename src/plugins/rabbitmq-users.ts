import type { FastifyInstance } from 'fastify'
import type { Authenticator } from '../access/authenticators.ts'
import type { Login } from '../access/gate.ts'
import type { Config } from '../config.ts'
import { Principals } from './rabbitmq/principals.ts'

/** Callers with a user of RabbitMQ, or with a token that RabbitMQ accepts: RabbitMQ decides what they may do. */
export function rabbitmqAuthenticator (app: FastifyInstance, config: Config): Authenticator<Login> {
  const { rabbitmq: { stream: { virtualHost } }, rabbitmqUsers } = config
  const principals = new Principals({ brokers: app.brokers, virtualHost, ...rabbitmqUsers })
  app.onShutdown('broker', () => { principals.close() })
  return (login, origin) => principals.identify(login, origin)
}
