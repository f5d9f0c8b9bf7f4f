import type { BrokerOptions } from './broker-options.ts'
import type { ConnectionPool } from './connections/connection-pool.ts'
import type { Directory } from './directory/directory.ts'
import { PartitionedPublishing } from './partitions/partitioned-publishing.ts'
import { StreamsPort } from './ports/streams-port.ts'
import { SuperStreamsPort } from './ports/super-streams-port.ts'
import type { PublisherPool } from './publishing/publisher-pool.ts'
import type { Locator } from './topology/locator.ts'
import type { PartitionLists } from './topology/partition-lists.ts'
import type { Permissions } from './topology/permissions.ts'
import { StreamAdmin } from './topology/stream-admin.ts'
import type { StreamEnds } from './topology/stream-ends.ts'
import type { StreamNames } from './topology/stream-names.ts'
import { SuperStreamAdmin } from './topology/super-stream-admin.ts'
import { SuperStreamView } from './topology/super-stream-view.ts'
import type { SuperStreams } from './topology/super-streams.ts'

/** What is known of streams, and who knows it. */
export interface Topology {
  readonly connections: ConnectionPool
  readonly names: StreamNames
  readonly locator: Locator
  readonly superStreams: SuperStreams
  readonly lists: PartitionLists
  readonly ends: StreamEnds
  readonly publishers: PublisherPool
  readonly directory: Directory
}

/** The ports that create, describe and delete. */
export function administration (
  topology: Topology, options: BrokerOptions, permissions: Permissions | undefined,
  whenDeleted: (stream: string) => void
): { streams: StreamsPort, superStreams: SuperStreamsPort } {
  const { names, lists, directory } = topology
  const { management, logger, connection: { requestTimeoutMs, frameMaxBytes }, publishing } = options
  const admin = new StreamAdmin({ ...topology, management, permissions, logger })
  const common = { names, management, permissions, whenDeleted }
  return {
    streams: new StreamsPort({ ...common, admin }),
    superStreams: new SuperStreamsPort({
      ...common,
      admin: new SuperStreamAdmin({ ...topology, streams: admin, management, permissions, requestTimeoutMs }),
      view: new SuperStreamView({ admin, management, logger }),
      lists,
      publishing: new PartitionedPublishing({ ...topology, frameMaxBytes, ...publishing }),
      directory
    })
  }
}
