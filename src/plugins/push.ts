import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Config } from '../config.ts'
import type { PushPort } from '../push/push-port.ts'
import { PushService } from '../push/push-service.ts'
import { VERSION } from '../version.ts'
import { addPushFigures } from './push-figures.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Push subscriptions; undefined when they are turned off. */
    push: PushPort | undefined
  }
}

// What workers hold of messages that they deliver, beside what readers hold.
const SHARE_OF_READ_BUDGET = 0.25
// What the readers of those streams hold, beside the readers of requests.
const READERS_SHARE = 0.5

/** Deliveries to HTTP endpoints, when they are turned on. They begin when the app is ready. */
function push (app: FastifyInstance, config: Config): void {
  let service: PushService | undefined
  app.decorate('push', { getter: () => service?.port })
  if (!config.push.isEnabled) return
  app.addHook('onReady', async () => {
    const started = new PushService(serviceOptions(app, config))
    addPushFigures(app.metrics, started.figures, () => started.units())
    service = started
  })
  app.onShutdown('workers', async () => { await service?.stop() })
  app.onShutdown('broker', async () => { await service?.close() })
}

function serviceOptions (app: FastifyInstance, { push, rabbitmq }: Config) {
  return {
    ...push,
    brokers: app.brokers,
    virtualHost: rabbitmq.stream.virtualHost,
    guard: push,
    encryptionKeys: push.encryptionKeys.map((key) => Buffer.from(key, 'hex')),
    memoryBytes: rabbitmq.readBudgetBytes * SHARE_OF_READ_BUDGET,
    readBudgetBytes: rabbitmq.readBudgetBytes * READERS_SHARE,
    version: VERSION,
    spans: app.deliverySpans,
    logger: app.log
  }
}

export default fp<Config>(async (app, config) => push(app, config), {
  name: 'push',
  dependencies: ['lifecycle', 'broker', 'metrics']
})
