import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { setTimeout as delay } from 'node:timers/promises'

declare module 'fastify' {
  interface FastifyInstance {
    /** Whether the process is about to end; then it is not ready, and connections are closed with their answer. */
    isDraining: () => boolean
    /**
     * Ends in order: not ready, no new publishes, waiting reads answer, requests in flight end, everything is closed.
     */
    shutDown: () => Promise<void>
  }
}

interface LifecycleOptions { drainDelayMs: number, drainTimeoutMs: number }

function lifecycle (app: FastifyInstance, { drainDelayMs, drainTimeoutMs }: LifecycleOptions): void {
  let isDraining = false
  let ended: Promise<void> | undefined

  app.decorate('isDraining', () => isDraining)
  app.decorate('shutDown', () => {
    ended ??= shutDown()
    return ended
  })
  app.addHook('onSend', (_request, reply, _payload, done) => {
    // A client that keeps its connection would send its next request to a process that is gone.
    if (isDraining) reply.header('connection', 'close')
    done()
  })
  // However the app is closed, waiting reads must not hold it up.
  app.addHook('preClose', (done) => {
    isDraining = true
    app.broker.drain()
    done()
  })

  async function shutDown (): Promise<void> {
    isDraining = true
    const timer = setTimeout(() => {
      app.log.warn({}, 'requests still in flight after DRAIN_TIMEOUT_MS are cut off')
      app.server.closeAllConnections()
    }, drainTimeoutMs)
    try {
      await delay(drainDelayMs)
      await app.close()
    } finally {
      clearTimeout(timer)
    }
  }
}

export default fp<LifecycleOptions>(async (app, options) => lifecycle(app, options), {
  name: 'lifecycle',
  dependencies: ['broker']
})
