import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { Phases, type PhaseName, type PhaseWork } from './phases.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** True while the process shuts down: it is not ready, and each answer closes its connection. */
    isDraining: () => boolean
    /** Adds work to a phase of shutting down. */
    onShutDown: (phase: PhaseName, work: PhaseWork) => void
    /** Shuts down, phase by phase. Calling it twice is fine. */
    shutDown: () => Promise<void>
  }
}

interface LifecycleOptions { drainDelayMs: number, drainTimeoutMs: number }

/** How long after the drain timeout the process may take to close what does not wait for clients. */
export const CLOSE_GRACE_MS = 10_000

/** How the process ends: see `PHASES`. */
function lifecycle (app: FastifyInstance, { drainDelayMs, drainTimeoutMs }: LifecycleOptions): void {
  const deadlineMs = (phase: PhaseName): number => drainTimeoutMs + (phase === 'broker' ? CLOSE_GRACE_MS : 0)
  const phases = new Phases(deadlineMs, (phase) => {
    app.log.warn({ phase }, 'a phase of shutting down did not end in time; the next one begins')
  })
  let isDraining = false
  let ended: Promise<void> | undefined
  let closed: Promise<void> | undefined

  app.decorate('isDraining', () => isDraining)
  app.decorate('onShutDown', (phase: PhaseName, work: PhaseWork) => { phases.add(phase, work) })
  app.decorate('shutDown', () => {
    ended ??= phases.run()
    return ended
  })
  app.addHook('onSend', (_request, reply, _payload, done) => {
    // A client that keeps its connection would send its next request to a process that is gone.
    if (isDraining) reply.header('connection', 'close')
    done()
  })
  // Also when the app is closed without the phases, waiting reads must not hold it up.
  app.addHook('preClose', (done) => {
    isDraining = true
    app.broker.drain()
    done()
  })

  app.onShutDown('not ready', async (signal) => {
    isDraining = true
    await delay(drainDelayMs, undefined, { signal }).catch(() => {})
  })
  app.onShutDown('no new work', () => { app.broker.drain() })
  app.onShutDown('requests', async (signal) => {
    signal.addEventListener('abort', () => {
      app.log.warn({}, 'requests still in flight after DRAIN_TIMEOUT_MS are cut off')
      app.server.closeAllConnections()
    })
    const serverClosed = once(app.server, 'close')
    closed = app.close()
    await Promise.race([serverClosed, closed])
  })
  app.onShutDown('broker', async () => { await closed })
}

export default fp<LifecycleOptions>(async (app, options) => lifecycle(app, options), {
  name: 'lifecycle',
  dependencies: ['broker']
})
