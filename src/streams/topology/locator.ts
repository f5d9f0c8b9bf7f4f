import { classify, classifyResponseCode } from '../classify.ts'
import { StreamsError } from '../errors.ts'
import { ResponseCode } from '../protocol/index.ts'
import type { ConnectionPool, Endpoint } from '../connections/connection-pool.ts'
import type { Permissions, Purpose } from './permissions.ts'
import type { SuperStreams } from './super-streams.ts'

export interface Location {
  readonly leader: Endpoint | undefined
  readonly replicas: readonly Endpoint[]
}

// A location is a hint: it is asked for again when it turns out to be wrong. The limit only keeps a client that tries
// many names from filling memory.
const MAX_REMEMBERED = 10_000

/** Knows the nodes that have a stream. */
export class Locator {
  readonly #connections: ConnectionPool
  readonly #superStreams: SuperStreams
  readonly #permissions: Permissions | undefined
  readonly #known = new Map<string, Location>()
  readonly #asking = new Map<string, Promise<Location>>()

  /** @param permissions of a caller's user: it is not told of streams for which it has none */
  constructor (connections: ConnectionPool, superStreams: SuperStreams, permissions?: Permissions) {
    this.#connections = connections
    this.#superStreams = superStreams
    this.#permissions = permissions
  }

  /**
   * @throws StreamsError `stream_not_found`, `stream_not_available`, `access_refused` and those of any request
   */
  async locate (stream: string, purpose: Purpose = 'read'): Promise<Location> {
    return this.#known.get(stream) ?? await this.locateAfresh(stream, purpose)
  }

  /** Asks the broker even when a location is known. Calls for the same stream at the same time share one request. */
  async locateAfresh (stream: string, purpose: Purpose = 'read'): Promise<Location> {
    let asking = this.#asking.get(stream)
    if (asking === undefined) {
      asking = this.#ask(stream).finally(() => { this.#asking.delete(stream) })
      this.#asking.set(stream, asking)
    }
    if (this.#permissions === undefined) return await asking
    try {
      return await asking
    } catch (error) {
      throw await this.#permissions.explained(purpose, stream, classify(error))
    }
  }

  /** @throws StreamsError as `locate`, and `stream_not_available` while there is no leader */
  async leader (stream: string, purpose: Purpose = 'read'): Promise<Endpoint> {
    const { leader } = await this.locate(stream, purpose)
    if (leader !== undefined) return leader
    throw await this.#unreachable(stream, purpose, 'the stream has no leader at the moment')
  }

  /**
   * A node that forwards messages to the leader, wherever the leader is. When a node is drained for maintenance,
   * RabbitMQ leaves its leaders there, where no client can reach them, and names no leader.
   *
   * @throws as `leader`
   */
  async relay (stream: string, purpose: Purpose): Promise<Endpoint> {
    const { leader, replicas } = await this.locate(stream, purpose)
    return leader ?? anyOf(replicas) ?? await this.leader(stream, purpose)
  }

  /** The node to read from: a replica if there is one, so that the leader is left to the publishers. */
  async member (stream: string): Promise<{ node: Endpoint, isLeader: boolean }> {
    const { leader, replicas } = await this.locate(stream)
    const replica = anyOf(replicas)
    if (replica !== undefined) return { node: replica, isLeader: false }
    if (leader !== undefined) return { node: leader, isLeader: true }
    throw await this.#unreachable(stream, 'read', 'no node that has the stream can be reached at the moment')
  }

  /** Call this when a location turned out to be wrong. */
  forget (stream: string): void {
    this.#known.delete(stream)
  }

  async #unreachable (stream: string, purpose: Purpose, message: string): Promise<StreamsError> {
    this.forget(stream)
    const failure = new StreamsError('stream_not_available', message)
    return await this.#permissions?.explained(purpose, stream, failure) ?? failure
  }

  async #ask (stream: string): Promise<Location> {
    this.#known.delete(stream)
    try {
      const [metadata] = await this.#connections.ask('streams', stream, async (connection) => {
        return await connection.metadata([stream])
      })
      if (metadata === undefined) {
        throw new StreamsError('broker_protocol_error', 'the broker answered a metadata request without the stream')
      }
      if (metadata.responseCode !== ResponseCode.ok) throw classifyResponseCode(metadata.responseCode)
      const location = { leader: metadata.leader, replicas: metadata.replicas }
      if (this.#known.size >= MAX_REMEMBERED) this.#known.clear()
      this.#known.set(stream, location)
      return location
    } catch (error) {
      const failure = classify(error)
      throw failure.code === 'stream_not_found' ? await this.#superStreams.explain(stream, failure) : failure
    }
  }
}

function anyOf (nodes: readonly Endpoint[]): Endpoint | undefined {
  return nodes[Math.floor(Math.random() * nodes.length)]
}
