import type { ActiveConsumers } from '../consuming/active-consumers.ts'
import type { ConsumerOffsets } from '../consuming/consumer-offsets.ts'
import type { Directory } from '../directory/directory.ts'
import { MergedConsumerPolls } from '../merging/merged-consumer-polls.ts'
import { MergedFollows } from '../merging/merged-follows.ts'
import { MergedOffsets } from '../merging/merged-offsets.ts'
import { MergedPolls } from '../merging/merged-polls.ts'
import { Partitions } from '../merging/partitions.ts'
import type { Follows } from '../reading/follows.ts'
import type { Polls } from '../reading/polls.ts'
import type { PartitionLists } from '../topology/partition-lists.ts'
import type { StreamEnds } from '../topology/stream-ends.ts'
import type { StreamNames } from '../topology/stream-names.ts'
import { MergedConsumersPort } from './merged-consumers-port.ts'
import { MergedReadingPort } from './merged-reading-port.ts'

export interface MergedPortsOptions {
  names: StreamNames
  lists: PartitionLists
  ends: StreamEnds
  polls: Polls
  offsets: ConsumerOffsets
  directory: Directory
  follows: Follows
  members: ActiveConsumers
}

/** Reads and consumers of super streams, whose partitions are read as one. */
export class MergedPorts {
  readonly reading: MergedReadingPort
  readonly consumers: MergedConsumersPort

  constructor ({ names, lists, ends, polls, offsets, directory, ...more }: MergedPortsOptions) {
    const partitions = new Partitions(lists, names)
    const mergedPolls = new MergedPolls(polls)
    const mergedOffsets = new MergedOffsets(offsets, ends)
    const consumerPolls = new MergedConsumerPolls({ polls: mergedPolls, offsets, mergedOffsets })
    const follows = new MergedFollows({ polls: mergedPolls, offsets, names, ...more })
    this.reading = new MergedReadingPort({ partitions, polls: mergedPolls, follows })
    this.consumers =
      new MergedConsumersPort({ partitions, polls: consumerPolls, offsets: mergedOffsets, follows, directory })
  }
}
