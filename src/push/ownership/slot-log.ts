import type { SlotRecord } from '../status/status-record.ts'

/** Where instances tell each other which slots they have. */
export interface SlotLog {
  /** Writes a record. Does not wait, and does not throw. */
  publishSlot (record: SlotRecord): void
  /** The last record of each slot, as far as the log is read. */
  readonly slots: ReadonlyMap<number, SlotRecord>
  /** This process has lost the slot, and says nothing more of it. */
  forgetSlot (slot: number): void
}
