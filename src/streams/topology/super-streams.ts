import { classify } from '../classify.ts'
import type { ConnectionPool } from '../connections/connection-pool.ts'
import { StreamsError } from '../errors.ts'
import type { Permissions } from './permissions.ts'
import type { StreamNames } from './stream-names.ts'

// The name of a partition may have hyphens, and so may that of the super stream.
const MAX_CANDIDATES = 8
// RabbitMQ writes an error line for each question about a name that is not a super stream. So for a name that clients
// ask for again and again it is asked once in this time.
const REMEMBERED_MS = 60_000
const MAX_REMEMBERED = 1000

/**
 * Knows super streams from other names. A super stream is an exchange, and its partitions are streams that are bound to
 * it. The protocol does not tell what an exchange is for: it counts as a super stream when all streams behind it are
 * named after it, `{super stream}-{anything}`, as RabbitMQ names partitions, be it by the names of the broker or by
 * those of the API.
 */
export class SuperStreams {
  readonly #connections: ConnectionPool
  readonly #names: StreamNames
  readonly #permissions: Permissions | undefined
  readonly #ordinary = new Map<string, number>()

  /** @param permissions of a caller's user: it is not told of partitions that it may not read */
  constructor (connections: ConnectionPool, names: StreamNames, permissions?: Permissions) {
    this.#permissions = permissions
    this.#connections = connections
    this.#names = names
  }

  /**
   * The partitions of the super stream in their order; empty when there is no such super stream.
   *
   * @throws StreamsError
   */
  async partitionsOf (superStream: string): Promise<readonly string[]> {
    try {
      const streams = await this.boundTo(superStream) ?? []
      if (!this.areNamedAfter(superStream, streams)) return []
      return await this.#areKnown([superStream, ...streams]) ? streams : []
    } catch (error) {
      const failure = classify(error)
      // Newer brokers answer only users who may read or write the name. Nothing is then known of it, and whether the
      // user may do what is asked is for the broker to say.
      if (failure.code === 'access_refused') return []
      throw failure
    }
  }

  /**
   * The streams behind the exchange of this name, in their order, whatever the exchange is for. A stream that is bound
   * with several keys is there several times. Undefined: there is no exchange of the name.
   *
   * @throws StreamsError
   */
  async boundTo (exchange: string): Promise<readonly string[] | undefined> {
    try {
      return await this.#connections.ask('streams', undefined, async (connection) => {
        return await connection.partitions(exchange)
      })
    } catch (error) {
      const failure = classify(error)
      if (failure.code === 'stream_not_found') return undefined
      throw failure
    }
  }

  /** Whether the streams have the names of partitions of this super stream. */
  areNamedAfter (superStream: string, streams: readonly string[]): boolean {
    if (streams.every((name) => name.startsWith(`${superStream}-`))) return true
    const apiName = this.#names.fromBroker(superStream)
    return apiName !== undefined &&
      streams.every((name) => this.#names.fromBroker(name)?.startsWith(`${apiName}-`) === true)
  }

  /** The super stream of which this stream is a partition. @throws StreamsError */
  async superStreamOf (stream: string): Promise<string | undefined> {
    const apiName = this.#names.fromBroker(stream)
    const candidates = [...new Set([
      ...beginningsOf(stream), ...apiName === undefined ? [] : beginningsOf(apiName).map((name) => this.#onBroker(name))
    ])]
    const found = await Promise.all(candidates.map(async (name) => (await this.partitionsOf(name)).includes(stream)))
    return candidates.find((_, index) => found[index])
  }

  /** @throws StreamsError `super_stream_exists` */
  async refuseSuperStream (stream: string): Promise<void> {
    const partitions = await this.partitionsOf(stream)
    if (partitions.length === 0) return
    throw new StreamsError('super_stream_exists', 'a super stream has this name', {
      details: { superStream: true, partitions: this.#apiNames(partitions) }
    })
  }

  /** @throws StreamsError `stream_is_partition` */
  async refusePartition (stream: string): Promise<void> {
    const superStream = await this.superStreamOf(stream)
    if (superStream === undefined) return
    throw new StreamsError('stream_is_partition', 'the stream is a partition of a super stream', {
      details: { superStream: this.#names.fromBroker(superStream) ?? superStream }
    })
  }

  /** The error for a stream that was not found: it says so when the name is that of a super stream. Never throws. */
  async explain (stream: string, failure: StreamsError): Promise<StreamsError> {
    if ((this.#ordinary.get(stream) ?? 0) > performance.now()) return failure
    const partitions = await this.partitionsOf(stream).catch((): undefined => undefined)
    if (partitions === undefined) return failure
    if (partitions.length > 0) {
      const message = 'this is a super stream, which has routes of its own: /v1/super-streams/{superStream}. Each of ' +
        'its partitions is a stream'
      const details = { superStream: true as const, partitions: this.#apiNames(partitions) }
      return new StreamsError('stream_not_found', message, { details })
    }
    if (this.#ordinary.size >= MAX_REMEMBERED) this.#ordinary.clear()
    this.#ordinary.set(stream, performance.now() + REMEMBERED_MS)
    return failure
  }

  /** Call this when a super stream was created: `explain` may remember that the name was not one. */
  forget (superStream: string): void {
    this.#ordinary.delete(superStream)
  }

  // Older brokers tell everybody.
  async #areKnown (streams: readonly string[]): Promise<boolean> {
    return this.#permissions === undefined || (await this.#permissions.known(streams)).length === streams.length
  }

  // A name that no stream can have is not that of a super stream either.
  #onBroker (name: string): string {
    try {
      return this.#names.toBroker(name)
    } catch {
      return name
    }
  }

  // A partition whose name does not follow the pattern of the API cannot be named in it.
  #apiNames (partitions: readonly string[]): string[] {
    return partitions.flatMap((name) => this.#names.fromBroker(name) ?? [])
  }
}

// What is before a hyphen: `a-b-c` may be the partition of `a-b`, or of `a`.
function beginningsOf (name: string): string[] {
  const beginnings: string[] = []
  for (let at = name.lastIndexOf('-'); at > 0; at = name.lastIndexOf('-', at - 1)) {
    beginnings.push(name.slice(0, at))
    if (beginnings.length === MAX_CANDIDATES) break
  }
  return beginnings
}
