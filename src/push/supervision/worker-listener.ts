import type { RedriveEnd } from '../definitions/definitions.ts'
import type { Report } from '../status/status-record.ts'
import type { Unit } from '../unit.ts'
import type { WorkerListener } from '../worker/worker-options.ts'
import type { Order } from './order.ts'

/** What a supervisor does when a worker says something. */
export interface WorkerEars {
  readonly report: (report: Report) => void
  /** The worker has asked for a change, and does nothing more. */
  readonly ask: (order: Omit<Order, 'subscription'>) => void
}

/** What a worker tells. A worker that has been stopped tells nothing. */
export function listenerFor (
  { partition, redrive }: Unit, isCurrent: () => boolean, { report, ask }: WorkerEars
): WorkerListener {
  const askNow = (order: Omit<Order, 'subscription'>): void => { if (isCurrent()) ask(order) }
  const end = (state: RedriveEnd): void => {
    askNow({ change: { type: 'redriveEnd', id: redrive, state }, isConditional: false, isLasting: false })
  }
  return {
    report: (said) => { if (isCurrent()) report(said) },
    pause: (cause) => { askNow({ change: { type: 'pause', cause }, isConditional: true, isLasting: false }) },
    moved: (nextOffset) => {
      if (redrive !== '') return end('cancelled')
      const change = { type: 'reset', offsets: { [partition]: nextOffset } } as const
      askNow({ change, isConditional: true, isLasting: true })
    },
    done: () => { end('done') }
  }
}
