import { Counter, Gauge, type Registry } from 'prom-client'
import type { FailureClass } from '../push/delivery/failure.ts'
import type { PushFigures } from '../push/figures.ts'
import type { UnitFigure } from '../push/push-service.ts'

const PREFIX = 'rabbitmq_stream_gateway_push_'
const FAILURES = ['message', 'ambiguous', 'endpoint', 'gone'] as const satisfies readonly FailureClass[]

const COUNTERS = {
  delivered: ['messages_total', 'Messages that endpoints have processed'],
  attempts: ['attempts_total', 'Requests sent to endpoints'],
  errorEntries: ['error_entries_total', 'Messages written into error streams'],
  dropped: ['dropped_messages_total', 'Messages dropped because a subscription says so (`onFailure: drop`)'],
  missed: ['missed_messages_total', 'Messages that retention removed before they were delivered'],
  takeovers: ['takeovers_total', 'Subscriptions and partitions that this instance has taken over']
} as const satisfies Partial<Record<keyof PushFigures, readonly [name: string, help: string]>>

const GAUGES = {
  inFlight: ['requests_in_flight', 'Requests to endpoints that are not answered yet'],
  ownedSlots: ['owned_slots', 'Slots whose subscriptions this instance delivers'],
  unownedSlots: ['unowned_slots', 'Slots that no instance has, as far as this one knows']
} as const satisfies Partial<Record<keyof PushFigures, readonly [name: string, help: string]>>

/** Puts the figures of push subscriptions into a registry. */
export function addPushFigures (
  registry: Registry, figures: PushFigures, subscriptions: () => Iterable<UnitFigure>
): void {
  const registers = [registry]
  for (const [figure, [name, help]] of entriesOf(COUNTERS)) {
    const counter: Counter = new Counter({
      name: PREFIX + name,
      help,
      registers,
      collect () {
        counter.reset()
        counter.inc(figures[figure])
      }
    })
  }
  for (const [figure, [name, help]] of entriesOf(GAUGES)) {
    const gauge: Gauge = new Gauge({ name: PREFIX + name, help, registers, collect () { gauge.set(figures[figure]) } })
  }
  const failed: Counter<'class'> = new Counter({
    name: `${PREFIX}failed_attempts_total`,
    help: 'Requests to endpoints that have failed, by class',
    labelNames: ['class'],
    registers,
    collect () {
      failed.reset()
      for (const name of FAILURES) failed.inc({ class: name }, figures.failed[name])
    }
  })
  addSubscriptions(registers, subscriptions)
}

// Only the owner shows a subscription, and there are at most a thousand: the number of series is bounded. How far a
// subscription is behind is shown with its consumer: see `LAG_STREAMS`.
function addSubscriptions (registers: Registry[], subscriptions: () => Iterable<UnitFigure>): void {
  const labelNames = ['stream', 'subscription', 'partition', 'state', 'reason'] as const
  const state: Gauge<typeof labelNames[number]> = new Gauge({
    name: `${PREFIX}subscription_state`,
    help: '1 for the state in which a subscription is that this instance delivers, and why it is paused',
    labelNames,
    registers,
    collect () {
      state.reset()
      for (const { labels, state: now, reason } of subscriptions()) state.set({ ...labels, state: now, reason }, 1)
    }
  })
}

function entriesOf<K extends string, V> (table: Readonly<Record<K, V>>): Array<[K, V]> {
  const names: K[] = []
  for (const name in table) names.push(name)
  return names.map((name) => [name, table[name]])
}
