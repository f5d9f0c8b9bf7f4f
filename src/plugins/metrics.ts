import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import { PROBLEM_CODES } from '../api/problems.ts'
import { whenClosed } from '../http/request-scope.ts'
import type { BrokerStats } from '../streams/index.ts'
import { INTERVAL_MS, measureEventLoopDelay } from './event-loop-delay.ts'
import { operationIdOf } from './requests.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The metrics that `/metrics` answers. */
    metrics: Registry
  }
}

const PREFIX = 'rabbitmq_stream_gateway_'
// From a read out of memory to a long poll of a minute.
const DURATION_BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

// The figures that go up and down. Every other figure is a counter; a figure without a metric does not compile.
const GAUGES = {
  connections: 'Open connections to the broker',
  publishers: 'Declared publishers',
  readers: 'Open subscriptions',
  activeConsumerMembers: 'Members of groups of single active consumers',
  publishBudgetUsedBytes: 'Bytes that wait for confirms',
  readBudgetUsedBytes: 'Bytes held for readers and answers under way'
} as const satisfies Partial<Record<keyof BrokerStats, string>>

const COUNTERS = {
  messagesConfirmed: 'Messages that the broker confirmed',
  messagesDuplicate: 'Messages not stored because the broker has their publishing id, or a later one',
  messagesFailed: 'Messages that were not stored',
  messagesUnknown: 'Messages whose outcome is unknown',
  messagesRead: 'Messages delivered to reads',
  offsetsStored: 'Offsets stored',
  connectionsOpened: 'Connections to the broker opened since the start',
  connectionsLost: 'Connections to the broker lost since the start'
} as const satisfies Record<Exclude<keyof BrokerStats, keyof typeof GAUGES>, string>

/**
 * Prometheus metrics in a registry of this app: the figures of the domain at the time of the scrape, and durations by
 * operation.
 */
function metrics (app: FastifyInstance): void {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: INTERVAL_MS })
  addFigures(registry, () => app.brokers.stats())
  const heldBodies: Gauge = new Gauge({
    name: `${PREFIX}http_bodies_held_bytes`,
    help: 'Bytes of request bodies that are read whole',
    registers: [registry],
    collect () {
      heldBodies.set(app.totalBodyBytes())
    }
  })

  const durations = new Histogram({
    name: `${PREFIX}http_request_duration_seconds`,
    help: 'From the headers of a request to its whole answer, waiting reads included',
    labelNames: ['operation', 'status'],
    buckets: DURATION_BUCKETS_SECONDS,
    registers: [registry]
  })
  app.addHook('onRequest', (request, reply, done) => {
    const startMs = performance.now()
    whenClosed(reply, (isDelivered) => {
      // Paths without an operation share one label: callers must not be able to create time series.
      durations.observe(
        { operation: operationIdOf(request) ?? 'none', status: isDelivered ? reply.statusCode : 'client_gone' },
        (performance.now() - startMs) / 1000
      )
    })
    done()
  })
  const stopMeasuring = measureEventLoopDelay(registry, PREFIX)
  countProblems(app, registry)
  app.decorate('metrics', registry)
  app.addHook('onClose', () => {
    stopMeasuring()
    registry.clear()
  })
}

// Every code is there from the start: a series that begins with 1 has not increased.
function countProblems (app: FastifyInstance, registry: Registry): void {
  const problems = new Counter({
    name: `${PREFIX}problems_total`,
    help: 'Requests answered with a problem, by its code',
    labelNames: ['code'],
    registers: [registry]
  })
  for (const code of PROBLEM_CODES) problems.inc({ code }, 0)
  app.problemListeners.push((_request, _reply, { code }) => { problems.inc({ code }) })
}

function addFigures (registry: Registry, stats: () => BrokerStats): void {
  for (const [figure, help] of typedEntries(GAUGES)) {
    const gauge: Gauge = new Gauge({
      name: PREFIX + snakeCase(figure),
      help,
      registers: [registry],
      collect () {
        gauge.set(stats()[figure])
      }
    })
  }
  for (const [figure, help] of typedEntries(COUNTERS)) {
    const counter: Counter = new Counter({
      name: `${PREFIX}${snakeCase(figure)}_total`,
      help,
      registers: [registry],
      collect () {
        counter.reset()
        counter.inc(stats()[figure])
      }
    })
  }
}

function typedEntries<K extends string> (record: Record<K, string>): Array<[K, string]> {
  const isKey = (key: string): key is K => Object.hasOwn(record, key)
  return Object.keys(record).filter(isKey).map((key) => [key, record[key]])
}

function snakeCase (name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

export default fp(async (app) => metrics(app), {
  name: 'metrics',
  dependencies: ['broker', 'requests', 'errors', 'bodies']
})
