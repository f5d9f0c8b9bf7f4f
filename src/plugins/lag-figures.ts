import { Counter, Gauge, type Registry } from 'prom-client'
import type { LagFigures, StreamFigures } from '../streams/index.ts'

type ConsumerFigures = StreamFigures['consumers'][number]

const PREFIX = 'rabbitmq_stream_gateway_'

const OF_STREAMS: ReadonlyArray<Metric<StreamFigures>> = [
  ['stream_first_offset', 'The first offset that a stream still has', ({ firstOffset }) => firstOffset],
  [
    'stream_next_offset',
    'The offset after the last one of a stream: grows with each message, and with each record of the broker',
    ({ nextOffset }) => nextOffset
  ],
  [
    'stream_last_message_timestamp_seconds', 'When the last message of a stream was written',
    ({ lastMessageMs }) => lastMessageMs === undefined ? undefined : lastMessageMs / 1000
  ],
  ['stream_segments', 'Segment files of a stream, on its leader', ({ segments }) => segments],
  [
    'stream_has_retention', 'Whether an argument or a policy removes old segments of a stream',
    ({ hasRetention }) => hasRetention ? 1 : 0
  ],
  [
    'lag_sample_age_seconds', 'Since when the figures of a stream and its consumers are as they are',
    ({ sampledMs }) => Math.max(0, Date.now() - sampledMs) / 1000
  ]
]

const OF_CONSUMERS: ReadonlyArray<Metric<ConsumerFigures>> = [
  ['consumer_stored_offset', 'The offset that the broker keeps for a consumer', ({ storedOffset }) => storedOffset],
  [
    'consumer_lag_messages', 'Offsets from the next one of a consumer to that of the last message',
    ({ lagMessages }) => lagMessages
  ],
  [
    'consumer_lag_seconds', 'For how long the next message of a consumer is in the stream; 0 when it has read all',
    ({ lagSeconds }) => lagSeconds
  ],
  [
    'consumer_subscriptions', 'Live subscriptions on the broker with the name of a consumer; reads over HTTP have none',
    ({ subscriptions }) => subscriptions
  ]
]

type Metric<T> = readonly [name: string, help: string, value: (figures: T) => number | undefined]

/** Puts what is sampled into a registry. */
export function lagMetrics (registry: Registry, current: () => LagFigures): void {
  const figures = onceATurn(current)
  for (const [name, help, value] of OF_STREAMS) {
    addGauge(registry, name, help, ['stream'], (gauge) => {
      for (const stream of figures().streams) set(gauge, { stream: stream.stream }, value(stream))
    })
  }
  for (const [name, help, value] of OF_CONSUMERS) {
    addGauge(registry, name, help, ['stream', 'consumer'], (gauge) => {
      for (const { stream, consumers } of figures().streams) {
        for (const consumer of consumers) set(gauge, { stream, consumer: consumer.name }, value(consumer))
      }
    })
  }
  addDisks(registry, figures)
  addTraffic(registry, figures)
  const addFigure = (name: string, help: string, value: () => number): void => {
    addGauge(registry, name, help, [], (gauge) => { gauge.set(value()) })
  }
  addFigure(
    'lag_sampler', 'Whether this instance samples consumers, of several instances one', () => figures().isOnDuty ? 1 : 0
  )
  addFigure(
    'lag_series_dropped', 'Time series of streams and consumers beyond LAG_MAX_SERIES', () => figures().droppedSeries
  )
}

// A registry asks all its metrics in one turn of the event loop, and each of these needs all figures.
function onceATurn (current: () => LagFigures): () => LagFigures {
  let known: LagFigures | undefined
  return () => {
    if (known !== undefined) return known
    known = current()
    queueMicrotask(() => { known = undefined })
    return known
  }
}

function addDisks (registry: Registry, figures: () => LagFigures): void {
  const addDisk = (name: string, help: string, value: (disk: LagFigures['disks'][number]) => number): void => {
    addGauge(registry, name, help, ['node'], (gauge) => {
      for (const disk of figures().disks) gauge.set({ node: disk.node }, value(disk))
    })
  }
  addDisk('broker_disk_free_bytes', 'Free space on the disk of a node of RabbitMQ', ({ freeBytes }) => freeBytes)
  addDisk(
    'broker_disk_limit_bytes', 'Free space below which a node of RabbitMQ takes no messages',
    ({ limitBytes }) => limitBytes
  )
  addDisk(
    'broker_disk_alarm', 'Whether a node of RabbitMQ takes no messages for want of disk space',
    ({ hasAlarm }) => hasAlarm ? 1 : 0
  )
}

function addTraffic (registry: Registry, figures: () => LagFigures): void {
  const addCounter = (name: string, help: string, value: (traffic: LagFigures['traffic'][number]) => number): void => {
    const counter: Counter = new Counter({
      name: `${PREFIX}${name}_total`,
      help,
      labelNames: ['stream'],
      registers: [registry],
      collect () {
        counter.reset()
        for (const traffic of figures().traffic) counter.inc({ stream: traffic.stream }, value(traffic))
      }
    })
  }
  addCounter(
    'stream_messages_confirmed', 'Messages of a stream that the broker confirmed to this instance',
    ({ confirmed }) => confirmed
  )
  addCounter('stream_messages_read', 'Messages of a stream that this instance has delivered', ({ read }) => read)
}

function addGauge (
  registry: Registry, name: string, help: string, labelNames: string[], fill: (gauge: Gauge) => void
): void {
  const gauge: Gauge = new Gauge({
    name: PREFIX + name,
    help,
    labelNames,
    registers: [registry],
    collect () {
      // What is gone has no series.
      gauge.reset()
      fill(gauge)
    }
  })
}

function set (gauge: Gauge, labels: Record<string, string>, value: number | undefined): void {
  if (value !== undefined) gauge.set(labels, value)
}
