import { classify, classifyResponseCode } from '../classify.ts'
import type { ConnectionPool } from '../connections/connection-pool.ts'
import { StreamsError } from '../errors.ts'
import { ResponseCode } from '../protocol/index.ts'
import type { Permissions, Purpose } from './permissions.ts'
import type { SuperStreams } from './super-streams.ts'

/** The partitions of a super stream by the names of the broker. */
export interface PartitionList {
  /** Each once, in the order of the broker. */
  readonly partitions: readonly string[]
  /**
   * What a hash chooses from: one for each binding. Clients take the list as the broker tells it, so a stream that is
   * bound with two keys is there twice.
   */
  readonly places: readonly string[]
}

interface Known {
  readonly list: Promise<PartitionList>
  untilMs: number
}

// A partition that is added is seen after this time.
const KNOWN_MS = 60_000
// While a super stream is being created RabbitMQ tells of the partitions that are bound so far. A message that is
// published by such a list may be in another partition than the next one with its routing key.
const NEW_MS = 1000
const MAX_KNOWN = 1000

/** What the partitions are wanted for. Who deletes a super stream needs the permission to read it. */
export type UseOfPartitions = Purpose | 'delete'

/** Knows the partitions of super streams. Asks again once a minute, and after a second when a list is new. */
export class PartitionLists {
  readonly #connections: ConnectionPool
  readonly #superStreams: SuperStreams
  readonly #permissions: Permissions | undefined
  readonly #known = new Map<string, Known>()

  /** @param permissions of a caller's user: it is not told of super streams that it may not use */
  constructor (connections: ConnectionPool, superStreams: SuperStreams, permissions?: Permissions) {
    this.#connections = connections
    this.#superStreams = superStreams
    this.#permissions = permissions
  }

  /**
   * At least one partition.
   *
   * @param superStream the broker's name
   * @param use what the caller's user needs the permission for, where RabbitMQ decides
   * @throws StreamsError `super_stream_not_found`, `access_refused` and those of any request
   */
  async of (superStream: string, use: UseOfPartitions): Promise<PartitionList> {
    const key = `${use} ${superStream}`
    const known = this.#known.get(key)
    if (known !== undefined && known.untilMs > performance.now()) return await known.list
    if (this.#known.size >= MAX_KNOWN) this.#known.clear()
    const askedMs = performance.now()
    const asked: Known = { list: this.#ask(superStream, use), untilMs: askedMs + NEW_MS }
    this.#known.set(key, asked)
    try {
      const list = await asked.list
      if (isSame(list, await known?.list.catch(() => undefined))) asked.untilMs = askedMs + KNOWN_MS
      return list
    } catch (error) {
      if (this.#known.get(key) === asked) this.#known.delete(key)
      throw error
    }
  }

  /** Call this when a partition turned out not to exist, and when partitions were created or deleted. */
  forget (superStream: string): void {
    for (const use of ['read', 'write', 'delete']) this.#known.delete(`${use} ${superStream}`)
  }

  async #ask (superStream: string, use: UseOfPartitions): Promise<PartitionList> {
    await this.#refuseUnlessMay(superStream, use === 'write' ? 'write' : 'read')
    const places = await this.#superStreams.boundTo(superStream) ?? []
    if (places.length > 0 && this.#superStreams.areNamedAfter(superStream, places)) {
      const partitions = [...new Set(places)]
      // Who publishes is refused at each partition, who deletes by the broker.
      if (use === 'read') await this.#refuseUnlessKnown(partitions)
      return { partitions, places }
    }
    throw new StreamsError('super_stream_not_found', await this.#isStream(superStream)
      ? 'this is a stream and not a super stream: use /v1/streams/{stream}'
      : 'the super stream does not exist')
  }

  // Brokers before 4.2.9 and 4.3.3 tell everybody.
  async #refuseUnlessMay (superStream: string, purpose: Purpose): Promise<void> {
    if (this.#permissions === undefined || await this.#permissions.may(purpose, superStream)) return
    throw classifyResponseCode(ResponseCode.accessRefused)
  }

  async #refuseUnlessKnown (partitions: readonly string[]): Promise<void> {
    if (this.#permissions === undefined) return
    if ((await this.#permissions.known(partitions)).length === partitions.length) return
    throw classifyResponseCode(ResponseCode.accessRefused)
  }

  // What a user of RabbitMQ may know of streams is not asked only for a better text.
  async #isStream (name: string): Promise<boolean> {
    if (this.#permissions !== undefined) return false
    try {
      const [metadata] = await this.#connections.ask('streams', name, async (connection) => {
        return await connection.metadata([name])
      })
      return metadata?.responseCode === ResponseCode.ok
    } catch (error) {
      throw classify(error)
    }
  }
}

function isSame (a: PartitionList, b: PartitionList | undefined): boolean {
  return a.places.join() === b?.places.join()
}
