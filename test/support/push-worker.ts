import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import type { Definition } from '../../src/push/definitions/definition.ts'
import type { Subscription, SubscriptionKey } from '../../src/push/definitions/definitions.ts'
import { sealContext, Sealing } from '../../src/push/definitions/sealing.ts'
import type { PauseReason } from '../../src/push/delivery/delivery.ts'
import { newSecret } from '../../src/push/delivery/signature.ts'
import { Endpoints } from '../../src/push/endpoint/endpoints.ts'
import { Guard } from '../../src/push/endpoint/guard.ts'
import { PushFigures } from '../../src/push/figures.ts'
import type { Report } from '../../src/push/status/status-record.ts'
import { Ticks } from '../../src/push/worker/ticks.ts'
import { startWorker } from '../../src/push/worker/worker.ts'
import type { Worker, WorkerShared, WorkerTask } from '../../src/push/worker/worker-options.ts'
import { ByteBudget, type Broker } from '../../src/streams/index.ts'
import { openSeat, type TestSeat } from './push-seat.ts'
import { until } from './until.ts'

const KEY = Buffer.alloc(32, 7)
const MEMORY_BYTES = 32 * 1024 * 1024
const STOP_MS = 5000

/** What workers of a test share. */
export function workerShared (t: Test, broker: Broker, overrides: Partial<WorkerShared> = {}): WorkerShared {
  const guard = new Guard({ allowHttp: true, allowedHosts: [], allowedNetworks: ['127.0.0.0/8'] })
  const endpoints = new Endpoints(guard, 256)
  t.teardown(async () => { await endpoints.close() })
  const logger = { debug () {}, info () {}, warn () {}, error (fields: object) { t.comment(fields) } }
  return {
    broker,
    endpoints,
    sealing: new Sealing([KEY]),
    virtualHost: '/',
    figures: new PushFigures(),
    logger,
    version: '1.2.3',
    memory: new ByteBudget(MEMORY_BYTES),
    ticks: new Ticks(),
    ...overrides
  }
}

/** Of a definition, what differs from a new one. Secrets and headers are written in clear. */
export type DefinitionChanges = Partial<Omit<Definition, 'retry' | 'batch' | 'secrets'>> & {
  readonly retry?: Partial<Definition['retry']>
  readonly batch?: Partial<Definition['batch']>
  readonly secret?: string
  readonly oldSecret?: { readonly secret: string, readonly until: number }
}

/** A subscription that delivers to the URL, from the first message on. */
export function subscriptionOf (
  stream: string, url: string, { retry, batch, secret = newSecret(), oldSecret, ...changes }: DefinitionChanges = {}
): Subscription {
  const key: SubscriptionKey = { source: 'stream', stream, subscription: 'billing' }
  const seal = (text: string): string => new Sealing([KEY]).seal(text, sealContext(key))
  const definition: Definition = {
    url,
    start: 'first',
    ordering: 'stream',
    orderingKey: null,
    concurrency: 1,
    batch: { maxMessages: 1, maxBytes: 262_144, maxWaitMs: 0, ...batch },
    format: 'message',
    filter: { filterValues: [], matchUnfiltered: false },
    timeoutMs: 2000,
    retry: {
      initialDelayMs: 50,
      maxDelayMs: 200,
      factor: 2,
      maxAttempts: 3,
      messageAttempts: 2,
      maxOutageSeconds: 3600,
      ...retry
    },
    onFailure: 'errorStream',
    errorStream: `${stream}_errors`,
    maxConsecutiveFailures: 20,
    commit: { everyMs: 100, everyMessages: 1000 },
    secrets: [
      { sealed: seal(secret), until: null },
      ...oldSecret === undefined ? [] : [{ sealed: seal(oldSecret.secret), until: oldSecret.until }]
    ],
    consumer: `push.${randomUUID()}`,
    paused: null,
    ...changes,
    headers: Object.fromEntries(Object.entries(changes.headers ?? {}).map(([name, value]) => [name, seal(value)]))
  }
  return { key, definition, version: 1, generation: 1, starts: {}, resets: {}, skips: {}, redrives: [] }
}

export interface TestWorker {
  readonly worker: Worker
  readonly seat: TestSeat
  readonly reports: Report[]
  readonly pauses: PauseReason[]
  readonly moves: number[]
  /** Its last report. */
  readonly last: Report | undefined
  /** Settles when a report passes the test, or has passed it. */
  reported: (what: string, test: (report: Report) => boolean) => Promise<Report>
}

/** A worker that is stopped with the test. */
export async function startTestWorker (
  t: Test, shared: WorkerShared, subscription: Subscription, task: Partial<WorkerTask> = {}
): Promise<TestWorker> {
  const seat = await openSeat(t)
  const reports: Report[] = []
  const pauses: PauseReason[] = []
  const moves: number[] = []
  const unit = { key: subscription.key, partition: '', redrive: '' }
  const worker = startWorker({ unit, subscription, seat, retry: undefined, deliveryGeneration: 1, ...task }, {
    report: (report) => { reports.push(report) },
    pause: (reason) => { pauses.push(reason) },
    moved: (nextOffset) => { moves.push(nextOffset) },
    done: () => {}
  }, shared)
  t.teardown(async () => { await worker.stop('settle', STOP_MS) })
  return {
    worker,
    seat,
    reports,
    pauses,
    moves,
    get last () { return reports.at(-1) },
    reported: async (what, test) => await until(what, () => reports.find(test))
  }
}
