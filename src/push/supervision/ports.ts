import type { Change, Subscription, SubscriptionKey } from '../definitions/command.ts'
import type { Submitted } from '../definitions/definition-fold.ts'
import type { SlotLog } from '../ownership/slot-log.ts'
import type { StatusRecord } from '../status/status-record.ts'

/** The definitions, as a supervisor uses them: see `DefinitionLog`. */
export interface DefinitionSource {
  get (key: SubscriptionKey): Subscription | undefined
  values (): Iterable<Subscription>
  listen (listener: (keys: readonly SubscriptionKey[]) => void): () => void
  caughtUp (signal: AbortSignal): Promise<void>
  submit (key: SubscriptionKey, change: Change, ifVersion: number | null | undefined): Promise<Submitted>
  snapshots (isMine: boolean): void
}

/** What owners say of units and slots, as a supervisor uses it: see `StatusLog`. */
export interface StatusSink extends SlotLog {
  of (unit: string): StatusRecord | undefined
  publish (record: StatusRecord): void
  forget (unit: string): void
  caughtUp (signal: AbortSignal): Promise<void>
  flush (timeoutMs?: number): Promise<boolean>
}
