import { Counter, Gauge, type Registry } from 'prom-client'
import type { LiveFormat } from '../live/live-format.ts'
import type { ByeReason, LiveFigures } from '../live/live-options.ts'

const PREFIX = 'rabbitmq_stream_gateway_live_'
const FORMATS = ['sse', 'ndjson'] as const
const BYES = ['limit', 'rotation', 'draining', 'slow'] as const

/** What is looked up at a scrape. */
export interface LiveStanding {
  /** How many live answers there are. */
  readonly count: (format: LiveFormat['name']) => number
  /** For how long the one that is furthest behind has not been at the end of its stream. */
  readonly behindMs: () => number
}

/** Puts the figures of live answers into a registry. */
export function liveFigures (registry: Registry, { count, behindMs }: LiveStanding): LiveFigures {
  const registers = [registry]
  addBehind(registry, behindMs)
  const connections: Gauge<'format'> = new Gauge({
    name: `${PREFIX}connections`,
    help: 'Live answers, by format',
    labelNames: ['format'],
    registers,
    collect () {
      for (const format of FORMATS) connections.set({ format }, count(format))
    }
  })
  const counter = (name: string, help: string): Counter => new Counter({ name: `${PREFIX}${name}`, help, registers })
  const sumOf = (name: string, help: string, sum: () => number): void => {
    const figure: Counter = new Counter({
      name: `${PREFIX}${name}`,
      help,
      registers,
      collect () {
        figure.reset()
        figure.inc(sum())
      }
    })
  }
  // Counted in variables: a counter of the registry would cost a tenth of a delivery.
  const delivered = { messages: 0, bytes: 0 }
  sumOf('deliveries_total', 'Messages written to live answers', () => delivered.messages)
  sumOf('bytes_total', 'Bytes of messages written to live answers', () => delivered.bytes)
  const stalls = counter('write_stalls_total', 'How often a live answer had to wait for its client')
  const cold = counter('cold_readers_total', 'How often a live answer fell behind and went on by a reader of its own')
  const byes = new Counter({
    name: `${PREFIX}byes_total`, help: 'Live answers that ended with a bye', labelNames: ['reason'], registers
  })
  for (const reason of BYES) byes.inc({ reason }, 0)
  return {
    delivered: (messages, bytes) => {
      delivered.messages += messages
      delivered.bytes += bytes
    },
    stalled: () => { stalls.inc() },
    behind: () => { cold.inc() },
    bye: (reason: ByeReason) => { byes.inc({ reason }) }
  }
}

function addBehind (registry: Registry, behindMs: () => number): void {
  const behind: Gauge = new Gauge({
    name: `${PREFIX}behind_seconds`,
    help: 'For how long the live answer that is furthest behind has not been at the end of its stream',
    registers: [registry],
    collect () {
      behind.set(behindMs() / 1000)
    }
  })
}
