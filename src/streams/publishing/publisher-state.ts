import type { Slot } from '../connections/slot.ts'
import type { Ended } from '../ended.ts'
import type { Connection } from '../protocol/index.ts'

/** What a publisher is at a time. */
export type PublisherState =
  /** The publisher is not declared, and no request needs it yet. */
  | { readonly name: 'idle' }
  /** Callers wait for the declaration. */
  | { readonly name: 'opening', readonly attempt: Promise<Connection> }
  /** `isDropped`: the broker has said that it does not know the publisher any longer. */
  | { readonly name: 'declared', readonly slot: Slot, isDropped: boolean }
  | Recovering
  | { readonly name: 'closed', readonly ended: Ended }

/** Queued messages wait for another declaration. `attempt` is undefined between two attempts. */
export interface Recovering { readonly name: 'recovering', attempt: Promise<Connection> | undefined }

export const IDLE: PublisherState = { name: 'idle' }

/** Whether a declaration is under way. */
export function isDeclaring (state: PublisherState): boolean {
  return state.name === 'opening' || (state.name === 'recovering' && state.attempt !== undefined)
}
