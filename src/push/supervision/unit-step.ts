import type { Subscription } from '../definitions/command.ts'
import type { Unit } from '../unit.ts'
import type { Order } from './order.ts'

/** What a unit stands at. */
export interface UnitState {
  readonly unit: Unit
  /** What the definitions say; undefined: there is no such subscription. */
  readonly subscription: Subscription | undefined
  /** Whether the unit is one of the subscription: its partition may be gone. */
  readonly isWanted: boolean
  /** Why it cannot run, for the operator. */
  readonly obstacle: string | undefined
  /** What the worker was started with; undefined: there is no worker. */
  readonly running: Subscription | undefined
  /** What the worker has asked for. */
  readonly order: Order | undefined
}

/**
 * What has to be done next.
 * - `stop`: the worker has to stop
 * - `submit`: what the worker has asked for has to be written
 * - `reset`: the place where it continues has to be stored
 * - `start`: a worker has to start
 * - `stand`: it has to stand still, and says why
 * - `run`: the worker runs as it should
 * - `rest`: it is no longer there, and nothing runs
 */
export type Step = 'stop' | 'submit' | 'reset' | 'start' | 'stand' | 'run' | 'rest'

export function nextStep (state: UnitState): Step {
  const { unit, subscription, running, order } = state
  const isThere = subscription !== undefined && state.isWanted && !hasEnded(unit, subscription)
  if (running !== undefined) {
    if (!isThere || order !== undefined || stoppedBy(state) !== undefined) return 'stop'
    return resetOf(unit, subscription) !== undefined || !isSameDelivery(running, subscription) ? 'stop' : 'run'
  }
  if (!isThere) return 'rest'
  if (order !== undefined) return 'submit'
  if (resetOf(unit, subscription) !== undefined) return 'reset'
  return stoppedBy(state) === undefined ? 'start' : 'stand'
}

/** Why the unit stands still; undefined: it does not have to. */
export function stoppedBy ({ subscription, obstacle }: UnitState): string | undefined {
  return subscription?.definition.paused ?? obstacle
}

/** Where the unit has to continue, if it has to continue elsewhere. */
export function resetOf ({ partition, redrive }: Unit, { resets }: Subscription): number | undefined {
  return redrive === '' && Object.hasOwn(resets, partition) ? resets[partition] : undefined
}

/** Whether nothing that concerns deliveries differs. */
export function isSameDelivery (a: Subscription, b: Subscription): boolean {
  return a === b || (a.generation === b.generation && deliveryOf(a) === deliveryOf(b))
}

// A pause stops the worker anyway, and the start counts only when nothing is stored.
function deliveryOf ({ definition }: Subscription): string {
  return JSON.stringify({ ...definition, paused: null, start: null })
}

function hasEnded ({ redrive }: Unit, { redrives }: Subscription): boolean {
  return redrive !== '' && !redrives.some(({ id, state }) => id === redrive && state === 'running')
}
