import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { setTimeout as delay } from 'node:timers/promises'
import { ShutdownPhases, type Phase, type PhaseName, type ShutdownStep } from './shutdown-phases.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Whether the process is shutting down. Then it is not ready, and each answer closes its connection. */
    isDraining: () => boolean
    /** Adds what a plugin does in a phase of the shutdown. */
    onShutdown: (phase: PhaseName, step: ShutdownStep) => void
    /** Ends in phases: not ready, no new work, workers, live answers, requests in flight, broker. */
    shutDown: () => Promise<void>
  }
}

interface LifecycleOptions { drainDelayMs: number, drainTimeoutMs: number }

// main.ts ends the process ten seconds after DRAIN_TIMEOUT_MS: this phase has to end before that.
const BROKER_TIMEOUT_MS = 5000

/**
 * How the app ends. `shutDown` makes the process not ready and closes the app. The later phases run however the app is
 * closed, so that waiting reads do not hold it up.
 */
function lifecycle (app: FastifyInstance, { drainDelayMs, drainTimeoutMs }: LifecycleOptions): void {
  let startedMs: number | undefined
  let ended: Promise<void> | undefined
  let requests: Promise<void> | undefined
  let endRequests = (): void => {}
  const requestsEnded = new Promise<void>((resolve) => { endRequests = resolve })

  // The phases up to the requests share DRAIN_TIMEOUT_MS: each later phase has the time that is left.
  const remainingMs = (): number => Math.max(0, (startedMs ?? 0) + drainTimeoutMs - performance.now())
  const phases = new ShutdownPhases(phaseTable(app, remainingMs), app.log)
  // A load balancer takes this time to notice that the process is not ready; its requests are served meanwhile.
  phases.add('not ready', async () => { await delay(drainDelayMs) })
  phases.add('requests', async () => { await requestsEnded })

  app.decorate('isDraining', () => startedMs !== undefined)
  app.decorate('onShutdown', (phase: PhaseName, step: ShutdownStep) => { phases.add(phase, step) })
  app.decorate('shutDown', () => {
    ended ??= shutDown()
    return ended
  })
  app.addHook('onSend', (_request, reply, _payload, done) => {
    // A client that keeps its connection would send its next request to a process that is gone.
    if (startedMs !== undefined) reply.header('connection', 'close')
    done()
  })
  app.addHook('preClose', async () => {
    startedMs ??= performance.now()
    await phases.run('no new work')
    await phases.run('workers')
    await phases.run('live answers')
    // Not awaited: Fastify closes the server after this hook, and calls onClose when the last request has ended.
    requests = phases.run('requests')
  })
  app.addHook('onClose', async () => {
    endRequests()
    await requests
    await phases.run('broker')
  })

  async function shutDown (): Promise<void> {
    startedMs ??= performance.now()
    await phases.run('not ready')
    await app.close()
  }
}

function phaseTable (app: FastifyInstance, remainingMs: () => number): Phase[] {
  const cutOff = (): void => {
    app.log.warn({ phase: 'requests' }, 'requests still in flight after DRAIN_TIMEOUT_MS are cut off')
    app.server.closeAllConnections()
  }
  const pass = (name: PhaseName) => (): void => {
    app.log.warn({ phase: name }, 'a phase of the shutdown takes too long; the next one begins')
  }
  return [
    { name: 'not ready', timeoutMs: remainingMs, whenLate: pass('not ready') },
    { name: 'no new work', timeoutMs: remainingMs, whenLate: pass('no new work') },
    { name: 'workers', timeoutMs: remainingMs, whenLate: pass('workers') },
    { name: 'live answers', timeoutMs: remainingMs, whenLate: pass('live answers') },
    { name: 'requests', timeoutMs: remainingMs, whenLate: cutOff },
    { name: 'broker', timeoutMs: () => BROKER_TIMEOUT_MS, whenLate: pass('broker') }
  ]
}

export default fp<LifecycleOptions>(async (app, options) => lifecycle(app, options), { name: 'lifecycle' })
