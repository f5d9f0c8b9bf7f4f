import { ByteBudget } from './common/budget.ts'
import { Cap } from './common/cap.ts'
import { Traffic } from './common/traffic.ts'
import { Dialing } from './connections/dialing.ts'
import { Compressor } from './publishing/compressor.ts'
import { Expansions } from './reading/expansions.ts'

export interface ReadLimits {
  /** Bytes of chunks in memory, of all readers and of the answers that are being written. */
  readBudgetBytes: number
  /** Subscriptions on the broker at a time. */
  maxReaders: number
  /** A sub-entry batch that would be larger is not expanded. */
  maxExpandedSubEntryBytes: number
}

/** What the readers of several brokers share. Those that have another one neither take from it nor wait for it. */
export class ReadShare {
  readonly readBudget: ByteBudget
  readonly readers: Cap
  readonly expansions: Expansions

  constructor ({ readBudgetBytes, maxReaders, maxExpandedSubEntryBytes }: ReadLimits) {
    const readBudget = new ByteBudget(readBudgetBytes)
    const readers = new Cap(maxReaders)
    this.readBudget = readBudget
    this.readers = readers
    this.expansions = new Expansions(maxExpandedSubEntryBytes, readBudget, (neededBytes) => {
      while (!readBudget.hasRoomFor(neededBytes) && readers.makeRoom());
    })
  }

  async close (): Promise<void> {
    await this.expansions.close()
  }
}

export interface SharedLimits extends ReadLimits {
  /** Bytes of messages that wait for confirms. */
  publishBudgetBytes: number
  /** Publishers that are declared on the broker at a time. */
  maxPublishers: number
  /** Connections to the broker that are open or being opened. */
  maxConnections: number
}

/** What all brokers of the process share: the limits are the process's, however many callers have their own. */
export class Shared {
  readonly publishBudget: ByteBudget
  readonly publishers: Cap
  readonly compressor = new Compressor()
  readonly traffic = new Traffic()
  readonly dialing: Dialing
  /** Of all brokers that have no other one. */
  readonly reads: ReadShare

  constructor (limits: SharedLimits) {
    this.publishBudget = new ByteBudget(limits.publishBudgetBytes)
    this.publishers = new Cap(limits.maxPublishers)
    this.dialing = new Dialing(limits.maxConnections)
    this.reads = new ReadShare(limits)
  }

  async close (): Promise<void> {
    await this.reads.close()
  }
}
