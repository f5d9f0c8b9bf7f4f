import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import type { DeliverySpans } from '../messages/index.ts'
import { ByteBudget, type BrokerSet, type Logger } from '../streams/index.ts'
import { DefinitionLog } from './definitions/definition-log.ts'
import { isPauseCause, type PauseCause } from './definitions/definition.ts'
import { Sealing } from './definitions/sealing.ts'
import { Endpoints } from './endpoint/endpoints.ts'
import { Guard, type GuardOptions } from './endpoint/guard.ts'
import { PushFigures } from './figures.ts'
import { Push } from './push.ts'
import type { PushPort } from './push-port.ts'
import type { KnownStatus } from './standing.ts'
import { StatusLog } from './status/status-log.ts'
import type { Report } from './status/status-record.ts'
import { Supervisor } from './supervision/supervisor.ts'
import { sendTest } from './worker/trial.ts'
import { Ticks } from './worker/ticks.ts'
import type { WorkerShared } from './worker/worker-options.ts'
import { startWorker } from './worker/worker.ts'

export interface PushServiceOptions {
  readonly brokers: BrokerSet
  readonly virtualHost: string
  readonly guard: GuardOptions
  readonly maxConnectionsPerOrigin: number
  /** Of 32 bytes, the newest first; without one secrets are not encrypted. */
  readonly encryptionKeys: readonly Buffer[]
  readonly streamPrefix: string
  readonly heartbeatSeconds: number
  readonly handoverMs: number
  /** What workers may hold of messages, together. */
  readonly memoryBytes: number
  /** Subscriptions to streams at a time, for deliveries. */
  readonly maxReaders: number
  /** What those have in memory, together. */
  readonly readBudgetBytes: number
  /** Of the gateway: endpoints see it. */
  readonly version: string
  /** Makes a span of each delivery; undefined where no spans are made. */
  readonly spans: DeliverySpans | undefined
  readonly logger: Logger
}

// A worker takes a few messages at a time: there may be thousands of them.
const WINDOW_BYTES = 256 * 1024
// So that two processes of one machine are told apart.
const INSTANCE_BYTES = 3

/** What an instance shows of a unit that it delivers. */
export interface UnitFigure {
  readonly labels: { readonly stream: string, readonly subscription: string, readonly partition: string }
  readonly state: string
  /** Why it is paused; empty otherwise. */
  readonly reason: PauseCause | ''
}

/** Push subscriptions in this process: the logs that all instances share, the slots of this one, and its deliveries. */
export class PushService {
  /** What routes use. */
  readonly port: PushPort
  readonly figures = new PushFigures()
  readonly #definitions: DefinitionLog
  readonly #status: StatusLog
  readonly #supervisor: Supervisor
  readonly #endpoints: Endpoints

  /** Begins at once. Faults of the broker only delay it. */
  constructor (options: PushServiceOptions) {
    const { brokers, virtualHost, streamPrefix: prefix, heartbeatSeconds, handoverMs, version, logger } = options
    const { maxReaders, readBudgetBytes } = options
    const state = brokers.openInternal({ names: 'broker' })
    const sealing = new Sealing(options.encryptionKeys)
    const guard = new Guard(options.guard)
    this.#definitions = new DefinitionLog({ broker: state, prefix, sealing, logger })
    this.#status = new StatusLog({ broker: state, prefix, logger })
    this.#endpoints = new Endpoints(guard, options.maxConnectionsPerOrigin)
    const shared: WorkerShared = {
      broker: brokers.openInternal({ names: 'api', reads: { maxReaders, readBudgetBytes, windowBytes: WINDOW_BYTES } }),
      endpoints: this.#endpoints,
      sealing,
      virtualHost,
      figures: this.figures,
      logger,
      version,
      memory: new ByteBudget(options.memoryBytes),
      ticks: new Ticks(),
      spans: options.spans
    }
    this.#definitions.start()
    this.#status.start()
    this.#supervisor = new Supervisor({
      slotBroker: brokers.openInternal({ names: 'broker', heartbeatSeconds }),
      prefix,
      instance: `${hostname()}-${randomBytes(INSTANCE_BYTES).toString('hex')}`,
      definitions: this.#definitions,
      status: this.#status,
      startWorker,
      shared,
      handoverMs,
      logger
    })
    this.port = new Push({
      broker: brokers.own,
      definitions: this.#definitions,
      known: this.#known(),
      guard,
      sealing,
      sendTest: async (subscription) => await sendTest(subscription, shared)
    })
  }

  /** The units that this instance delivers. */
  * units (): Generator<UnitFigure> {
    for (const { unit: { key, partition, redrive }, report } of this.#supervisor.reports()) {
      if (redrive !== '') continue
      const labels = { stream: key.stream, subscription: key.subscription, partition }
      yield { labels, ...shownState(report) }
    }
  }

  /**
   * Hands everything over: brings what is in flight to its end, stores, and leaves the slots to other instances. Never
   * rejects.
   */
  async stop (): Promise<void> {
    await this.#supervisor.stop()
    await this.#status.flush()
  }

  #known (): KnownStatus {
    const [status, supervisor] = [this.#status, this.#supervisor]
    return {
      of: (unit) => status.of(unit),
      ownerOf: (slot) => supervisor.ownerOf(slot),
      get slots () { return supervisor.slotCount }
    }
  }

  /** Closes what it has opened, apart from the brokers. Calling it twice is fine. */
  async close (): Promise<void> {
    await Promise.all([this.#definitions.close(), this.#status.close(), this.#endpoints.close()])
  }
}

// As the status of the subscription has it.
function shownState (report: Report | undefined): Pick<UnitFigure, 'state' | 'reason'> {
  const { state, reason = null } = report ?? { state: 'starting' }
  if (state !== 'stopped') return { state, reason: '' }
  return isPauseCause(reason) ? { state: 'paused', reason } : { state: 'blocked', reason: '' }
}
