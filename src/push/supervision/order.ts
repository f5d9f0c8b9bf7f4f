import type { Change, Subscription } from '../definitions/command.ts'

/** A change of its own subscription that a worker has asked for. */
export interface Order {
  readonly change: Change
  /** What it was asked for. */
  readonly subscription: Subscription
  /** Whether it is only right for this version of the subscription. */
  readonly isConditional: boolean
  /** Whether it has to be asked for again in another version: as long as the generation is the same. */
  readonly isLasting: boolean
}

/** The version that the subscription must have. */
export function versionFor ({ subscription, isConditional }: Order): number | undefined {
  return isConditional ? subscription.version : undefined
}

/**
 * The order after it was worked off, when it has to be worked off again. An offset that another program has stored is
 * followed in whatever version, unless somebody has begun another generation meanwhile.
 */
export function orderAfter (order: Order, now: Subscription | undefined): Order | undefined {
  const { generation } = order.subscription
  return order.isLasting && now?.generation === generation ? { ...order, subscription: now } : undefined
}
