import { ByteBudget } from './common/budget.ts'
import { Cap } from './common/cap.ts'
import { Dialing } from './connections/dialing.ts'
import { Compressor } from './publishing/compressor.ts'
import { Expansions } from './reading/expansions.ts'

export interface SharedLimits {
  /** Bytes of messages that wait for confirms. */
  publishBudgetBytes: number
  /** Bytes of chunks in memory, of all readers and of the answers that are being written. */
  readBudgetBytes: number
  /** Publishers that are declared on the broker at a time. */
  maxPublishers: number
  /** Subscriptions on the broker at a time. */
  maxReaders: number
  /** Connections to the broker that are open or being opened. */
  maxConnections: number
  /** A sub-entry batch that would be larger is not expanded. */
  maxExpandedSubEntryBytes: number
}

/** What all brokers of the process share: the limits are the process's, however many callers have their own. */
export class Shared {
  readonly publishBudget: ByteBudget
  readonly readBudget: ByteBudget
  readonly publishers: Cap
  readonly compressor = new Compressor()
  readonly readers: Cap
  readonly dialing: Dialing
  readonly expansions: Expansions

  constructor (limits: SharedLimits) {
    const readBudget = new ByteBudget(limits.readBudgetBytes)
    const readers = new Cap(limits.maxReaders)
    this.publishBudget = new ByteBudget(limits.publishBudgetBytes)
    this.readBudget = readBudget
    this.publishers = new Cap(limits.maxPublishers)
    this.readers = readers
    this.dialing = new Dialing(limits.maxConnections)
    this.expansions = new Expansions(limits.maxExpandedSubEntryBytes, readBudget, (neededBytes) => {
      while (!readBudget.hasRoomFor(neededBytes) && readers.makeRoom());
    })
  }

  async close (): Promise<void> {
    await this.expansions.close()
  }
}
