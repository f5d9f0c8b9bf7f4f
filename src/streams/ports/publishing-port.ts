import type { Lease } from '../common/lease.ts'
import type { Directory, PublisherInfo, Sources } from '../directory/directory.ts'
import type { MessageBatch } from '../message-batch.ts'
import type { PublishResult } from '../publishing/outcome.ts'
import type { PublisherPool, PublishOptions, StreamedPublishOptions } from '../publishing/publisher-pool.ts'
import type { StreamedSession } from '../publishing/publish-session.ts'
import { refuseBadReference, type StreamNames } from '../topology/stream-names.ts'

export interface PublishingPortOptions {
  names: StreamNames
  publishers: PublisherPool
  directory: Directory
}

/** Publishes messages, and knows who publishes. Names are the API's. */
export class PublishingPort {
  readonly #options: PublishingPortOptions

  constructor (options: PublishingPortOptions) {
    this.#options = options
  }

  /**
   * Publishes a batch. Settles when every message has its outcome.
   *
   * @throws StreamsError when nothing was sent
   */
  async publish (stream: string, batch: MessageBatch, options: PublishOptions = {}): Promise<PublishResult> {
    const session = this.#options.publishers.session(this.#nameFor(stream, options), options)
    try {
      await session.write(batch)
    } catch (error) {
      await session.finish()
      throw error
    }
    return await session.finish()
  }

  /**
   * Holds room for messages that are still to be encoded, so that a publish is refused before that work and not after
   * it. End the lease right before `publish`, or when there is nothing to publish.
   *
   * @throws StreamsError `draining`, `overloaded`
   */
  reserve (bytes: number): Lease {
    return this.#options.publishers.reserve(bytes)
  }

  /** Begins a request whose messages come piece by piece. The caller has to call `finish`. */
  open (stream: string, options: StreamedPublishOptions = {}): StreamedSession {
    return this.#options.publishers.streamedSession(this.#nameFor(stream, options), options)
  }

  /** Every publisher name known of the stream. @throws StreamsError `stream_not_found`, ... */
  async listPublishers (stream: string): Promise<{ publishers: PublisherInfo[], sources: Sources }> {
    return await this.#options.directory.publishers(this.#options.names.toBroker(stream))
  }

  /**
   * A publisher's last publishing id. It is 0 also for a name that the broker does not know: the protocol does not tell
   * the two apart.
   *
   * @throws StreamsError `stream_not_found`, ...
   */
  async describePublisher (stream: string, publisher: string): Promise<{ name: string, lastPublishingId: bigint }> {
    const name = this.#options.names.toBroker(stream)
    refuseBadReference('publisher', publisher)
    return { name: publisher, lastPublishingId: await this.#options.directory.lastPublishingId(name, publisher) }
  }

  /** The broker's name of the stream, and what is remembered of a publisher of it. */
  #nameFor (stream: string, options: PublishOptions): string {
    const { names, directory } = this.#options
    const name = names.toBroker(stream)
    if (options.publisher !== undefined) {
      refuseBadReference('publisher', options.publisher)
      directory.sawPublisher(name, options.publisher)
    }
    return name
  }
}
