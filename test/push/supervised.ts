import type { Test } from 'tap'
import type { Definition } from '../../src/push/definitions/definition.ts'
import { DefinitionLog } from '../../src/push/definitions/definition-log.ts'
import type { SubscriptionKey } from '../../src/push/definitions/definitions.ts'
import { Sealing } from '../../src/push/definitions/sealing.ts'
import { Endpoints } from '../../src/push/endpoint/endpoints.ts'
import { Guard } from '../../src/push/endpoint/guard.ts'
import { PushFigures } from '../../src/push/figures.ts'
import { StatusLog } from '../../src/push/status/status-log.ts'
import type { Report } from '../../src/push/status/status-record.ts'
import { Supervisor } from '../../src/push/supervision/supervisor.ts'
import { unitId } from '../../src/push/unit.ts'
import type { Worker, WorkerListener, WorkerTask } from '../../src/push/worker/worker-options.ts'
import { Ticks } from '../../src/push/worker/ticks.ts'
import { ByteBudget, type Broker } from '../../src/streams/index.ts'
import { aDefinition } from '../support/definitions.ts'
import { FaultProxy } from '../support/proxy.ts'
import { openBroker, testAddresses } from '../support/streams.ts'
import { until } from '../support/until.ts'

const quiet = { debug () {}, info () {}, warn () {}, error () {} }

export const REPORT: Report = {
  state: 'idle',
  reason: null,
  nextOffset: 0,
  retry: null,
  lastSuccessAt: null,
  lastFailure: null,
  consecutiveFailures: 0,
  missed: 0
}

/** The definition of a subscription, under its own consumer. */
export function definitionOf (subscription: string, some: Partial<Definition> = {}): Definition {
  return aDefinition({ consumer: `push.${subscription}`, ...some })
}

/** What happened to a worker. */
export interface WorkerEvent {
  readonly name: 'started' | 'settle' | 'abandon' | 'stopped' | 'skip'
  readonly instance: string
  readonly unit: string
  readonly task: WorkerTask
  readonly offset?: number
}

/** Workers that deliver nothing: a test says what they say. The events of all instances are in one list. */
export class ScriptedWorkers {
  readonly events: WorkerEvent[] = []
  readonly running = new Map<string, { task: WorkerTask, listener: WorkerListener, instance: string }>()
  /** Units that had two workers at the same time. */
  readonly doubles: string[] = []
  stopMs = 0
  store = false

  start (instance: string, task: WorkerTask, listener: WorkerListener): Worker {
    const unit = unitId(task.unit)
    const note = (name: WorkerEvent['name'], offset?: number): void => {
      this.events.push({ name, instance, unit, task, ...(offset !== undefined && { offset }) })
    }
    const worker = { task, listener, instance }
    if (this.running.has(unit)) this.doubles.push(unit)
    this.running.set(unit, worker)
    note('started')
    setImmediate(() => { listener.report({ ...REPORT, nextOffset: 1 }) })
    let stopped: Promise<void> | undefined
    const stop = async (how: 'settle' | 'abandon'): Promise<void> => {
      note(how)
      if (how === 'settle') await new Promise((resolve) => setTimeout(resolve, this.stopMs))
      if (this.running.get(unit) === worker) this.running.delete(unit)
      note('stopped')
    }
    return {
      stop: async (how) => { await (stopped ??= stop(how)) },
      skip: (offset) => { note('skip', offset) }
    }
  }

  of (unit: string): { task: WorkerTask, listener: WorkerListener, instance: string } | undefined {
    return this.running.get(unit)
  }

  names (unit: string): string[] {
    return this.events.filter((event) => event.unit === unit).map(({ name }) => name)
  }
}

/** Everything of an instance that has to do with push subscriptions, except what delivers. */
export interface Supervised {
  readonly name: string
  readonly broker: Broker
  readonly definitions: DefinitionLog
  readonly status: StatusLog
  readonly figures: PushFigures
  readonly supervisor: Supervisor
  /** Before the slots. */
  readonly proxy: FaultProxy
  put (key: SubscriptionKey, definition: Definition): Promise<void>
}

export async function supervise (
  t: Test, name: string, prefix: string, workers: ScriptedWorkers, partitionsEachMs?: number
): Promise<Supervised> {
  const proxy = await FaultProxy.listen(testAddresses())
  t.teardown(async () => { await proxy.close() })
  const { host, port } = proxy
  const slotBroker = openBroker(t, { hosts: [{ host, port }], addressMode: 'configured', heartbeatSeconds: 2 })
  const broker = openBroker(t)
  const sealing = new Sealing([])
  const figures = new PushFigures()
  const definitions = new DefinitionLog({ broker, prefix, sealing, logger: quiet })
  const status = new StatusLog({ broker, prefix, logger: quiet })
  const guard = new Guard({ allowHttp: false, allowedHosts: [], allowedNetworks: [] })
  const endpoints = new Endpoints(guard, 10)
  definitions.start()
  status.start()
  const supervisor = new Supervisor({
    slotBroker,
    prefix,
    instance: name,
    definitions,
    status,
    startWorker: (task, listener) => workers.start(name, task, listener),
    shared: {
      broker,
      endpoints,
      sealing,
      virtualHost: '/',
      figures,
      logger: quiet,
      version: '0',
      memory: new ByteBudget(1e6),
      ticks: new Ticks()
    },
    handoverMs: 2000,
    logger: quiet,
    partitionsEachMs
  })
  t.teardown(async () => {
    await supervisor.stop()
    await Promise.all([definitions.close(), status.close(), endpoints.close()])
  })
  return {
    name,
    broker,
    definitions,
    status,
    figures,
    supervisor,
    proxy,
    put: async (key, definition) => { await definitions.submit(key, { type: 'put', definition }, undefined) }
  }
}

/** Deletes the streams behind push subscriptions with the test. Call it before they are created. */
export function deletePushStreamsAfter (t: Test, prefix: string): void {
  const broker = openBroker(t)
  t.teardown(async () => {
    await broker.superStreams.delete(`${prefix}.slots`, () => {}).catch(() => {})
    for (const name of ['definitions', 'status']) await broker.streams.delete(`${prefix}.${name}`).catch(() => {})
  })
}

export async function running (workers: ScriptedWorkers, unit: string): Promise<{
  task: WorkerTask, listener: WorkerListener, instance: string
}> {
  return await until(`a worker of ${unit}`, () => workers.of(unit))
}
