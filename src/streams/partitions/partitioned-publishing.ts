import type { ConnectionPool } from '../connections/connection-pool.ts'
import { PUBLISH_FRAME_OVERHEAD_BYTES } from '../protocol/index.ts'
import type { PublisherPool } from '../publishing/publisher-pool.ts'
import type { PartitionLists } from '../topology/partition-lists.ts'
import { BoundKeys } from './bound-keys.ts'
import { NameTurns } from './name-turns.ts'
import { PartitionedSession, type RoutedOptions } from './partitioned-session.ts'

export interface PartitionedPublishingOptions {
  connections: ConnectionPool
  publishers: PublisherPool
  lists: PartitionLists
  frameMaxBytes: number
  confirmTimeoutMs: number
}

/** Publishes to super streams. Names are those of the broker. */
export class PartitionedPublishing {
  readonly #options: PartitionedPublishingOptions
  readonly #keys: BoundKeys
  readonly #turns = new NameTurns()

  constructor (options: PartitionedPublishingOptions) {
    this.#options = options
    this.#keys = new BoundKeys(options.connections)
  }

  /**
   * Begins a request.
   *
   * @param isStreamed whether its messages come while its body arrives
   * @throws StreamsError `draining`
   */
  session (superStream: string, request: RoutedOptions, isStreamed: boolean): PartitionedSession {
    const { publishers, lists, confirmTimeoutMs } = this.#options
    publishers.reserve(0).end()
    const { publisher, signal, compression } = request
    return new PartitionedSession({
      superStream,
      request,
      lists,
      keys: this.#keys,
      turns: this.#turns,
      maxEntryBytes: async () => await this.#maxEntryBytes(),
      confirmTimeoutMs,
      reserve: (bytes) => publishers.reserve(bytes),
      open: (partition, streams) => isStreamed
        ? publishers.streamedSession(partition, { publisher, signal, compression, streams })
        : publishers.session(partition, { publisher, signal, streams })
    })
  }

  // The broker may allow smaller frames than the gateway.
  async #maxEntryBytes (): Promise<number> {
    const { connections, frameMaxBytes } = this.#options
    const agreedBytes = await connections.connection('streams', undefined)
      .then((connection) => connection.frameMaxBytes, () => frameMaxBytes)
    return agreedBytes - PUBLISH_FRAME_OVERHEAD_BYTES
  }

  /** Call this when a super stream was created or deleted. */
  forget (superStream: string): void {
    this.#keys.forget(superStream)
  }
}
